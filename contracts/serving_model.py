"""Which models answer for an hour: one small file an interval, written when the hour's bundles are in place.

`<root>/bundles/serving/<interval>.json` names folders under `<root>/bundles/`; a rollback of the pointer to an older
interval so brings back the models of that interval.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from contracts.errors import BadInput, CorruptData, MissingInput
from contracts.intervals import Interval
from contracts.settings import Layout


@dataclass(frozen=True, slots=True)
class ServingModel:
    """Names of the bundles of an interval; `session` is "" where there is none."""

    interval: str
    candidates: str
    ranker: str
    session: str
    profiles: str

    def candidates_folder(self, layout: Layout) -> Path:
        """Folder of the candidate bundle."""
        return layout.candidates / self.candidates

    def ranker_folder(self, layout: Layout) -> Path:
        """Folder of the ranker."""
        return layout.rankers / self.ranker

    def session_folder(self, layout: Layout) -> Path | None:
        """Folder of the session model, if there is one."""
        return layout.sessions / self.session if self.session else None

    def profiles_folder(self, layout: Layout) -> Path:
        """Folder of the profiles."""
        return layout.profiles / self.profiles

    @property
    def as_of_at(self) -> int:
        """End of the interval as epoch seconds: the instant that the profiles are as of."""
        return int(Interval.of_key(self.interval).end_at.timestamp())


def serving_file(layout: Layout, interval_key: str) -> Path:
    """Where the models of an interval are named."""
    return layout.serving_models / f"{interval_key}.json"


def write_serving_model(layout: Layout, model: ServingModel) -> None:
    """Name the models of an interval at once: a reader finds the old file or the new one."""
    target = serving_file(layout, model.interval)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(asdict(model), indent=1, sort_keys=True) + "\n")
    partial.replace(target)


def read_serving_model(layout: Layout, interval_key: str) -> ServingModel:
    """The models of an interval; MissingInput names the command that makes them, CorruptData the file."""
    made_by = f"python -m headrace hour {interval_key}"
    file = serving_file(layout, interval_key)
    try:
        model = ServingModel(**json.loads(file.read_text()))
        names = asdict(model)
        needed = [model.candidates, model.ranker, model.profiles, Interval.of_key(interval_key).key]
        if model.interval != interval_key or not all(needed) or not all(_is_name(name) for name in names.values()):
            raise ValueError(f"it holds {names}")
    except FileNotFoundError:
        raise MissingInput(f"{file} was asked for and is not there; make it with: {made_by}") from None
    except (ValueError, TypeError, BadInput) as error:
        raise CorruptData(f"{file} names no models ({error}); make it again: {made_by}") from error
    return model


def named_intervals(layout: Layout) -> list[str]:
    """Intervals whose models are named, oldest first."""
    return sorted(file.stem for file in layout.serving_models.glob("[!.]*.json"))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and "/" not in value and not value.startswith(".")
