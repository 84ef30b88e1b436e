"""The lists that Headrace would serve at the split: the jobs' own code makes the models, the request path the lists."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.event_weights import parse_event_weights
from contracts.intervals import Interval
from contracts.lake import EVENT_TYPE, HEAD_USERS, ITEM_ID, OCCURRED_AT, USER_ID, VALUE
from contracts.pipeline import HOUR, TRAINING
from contracts.serving_model import ServingModel, read_serving_model
from contracts.settings import Layout, Settings
from ingest.outcome import OnProgress
from models.live_state import StateTerms, categories_of, lay_over
from models.peers.histories import Histories
from models.peers.peer import NOBODY, Ask, Lists
from models.profile_file import ProfileFile
from models.tables import read_partition
from models.two_stage import Bundle, load_serving, recommend
from models.user_state import LiveSession
from spark_jobs.context import JobContext

# What an hour does besides models: no stream to seal, nothing shown to attribute, nothing to publish.
NEEDLESS_JOBS = frozenset({"seal", "build_attributions", "build_popular", "check", "publish"})
STAGE = "training and the hour"
_HOUR_SECONDS = 3_600
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Production:
    """The loaded models of the hour that ends with the split."""

    bundle: Bundle
    profiles: ProfileFile
    as_of_at: int
    event_weights: dict[str, float]
    head: frozenset[str]

    @classmethod
    def load(cls, settings: Settings, interval: Interval) -> "Production":
        """Open what `run_jobs` made."""
        layout = Layout(settings.root)
        model: ServingModel = read_serving_model(layout, interval.key)
        head = read_partition(HEAD_USERS, layout.lake, interval.key, columns=[USER_ID])[USER_ID].to_pylist()
        return cls(
            load_serving(layout, model, settings.candidate_count),
            ProfileFile.open(model.profiles_folder(layout)),
            model.as_of_at,
            parse_event_weights(settings.event_weights),
            frozenset(head),
        )

    def lists(self, asked: Histories, ask: Ask, sessions: Sequence[LiveSession] = ()) -> Lists:
        """Lists of people as on demand; `sessions`, one a person, are laid over what the hour knows of them."""
        lists = np.full((len(asked), ask.count), NOBODY)
        for user, user_id in enumerate(asked.users):
            session = sessions[user] if sessions else LiveSession()
            as_of_at = int(session.at_seconds.max(initial=self.as_of_at))
            terms = StateTerms(as_of_at, self.event_weights, categories_of(self.bundle.candidates))
            request = lay_over(self.profiles.read(user_id), user_id, session, terms)
            if ask.novel:
                own = asked.item_rows[asked.starts[user] : asked.starts[user + 1]]
                seen = {asked.items.external_ids[row] for row in own.tolist() if row >= 0}
                request = replace(request, excluded=frozenset(seen))
            [ranked] = recommend(self.bundle, [request], ask.count)
            lists[user, : len(ranked.item_ids)] = asked.items.rows(ranked.item_ids)
        return lists


def interval_at(split_at: int) -> Interval:
    """The hour that the split falls into, or that ends with it."""
    end_seconds = -(-split_at // _HOUR_SECONDS) * _HOUR_SECONDS
    return Interval.ending_at(datetime.fromtimestamp(0, UTC) + timedelta(seconds=end_seconds))


def run_jobs(context: JobContext, on_progress: OnProgress) -> None:
    """Run the daily training and then the hour, as the schedule does, in this process."""
    jobs = [job for step in (*TRAINING, *HOUR) for job in step.jobs if job not in NEEDLESS_JOBS]
    for job in jobs:
        on_progress(f"{STAGE}: {job}", 0, 1)
        import_module(f"spark_jobs.{job}").run(context)
        on_progress(f"{STAGE}: {job}", 1, 1)


def sessions_of(events: pa.Table, shown: Histories) -> list[LiveSession]:
    """The live session of each person: their first events, as many as `shown` has of them."""
    ours = events.filter(pc.is_in(events[USER_ID], pa.array(shown.users, pa.string())))
    ours = ours.sort_by([(USER_ID, "ascending"), (OCCURRED_AT, "ascending"), (ITEM_ID, "ascending")])
    users = np.asarray(ours[USER_ID].to_pylist(), object)
    sessions = []
    for user, count in zip(shown.users, np.diff(shown.starts).tolist(), strict=True):
        begin = int(np.searchsorted(users, user))
        rows = ours.slice(begin, count)
        item_ids, event_types, values = (rows[name].to_pylist() for name in (ITEM_ID, EVENT_TYPE, VALUE))
        sessions.append(LiveSession.of_columns(item_ids, event_types, _seconds(rows), values))
    return sessions


def _seconds(rows: pa.Table) -> NDArray[np.int64]:
    return np.asarray(pc.cast(rows[OCCURRED_AT], pa.int64()), np.int64) // _MICRO
