"""Placements: what each place on a page is for, and what of a person it may use."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from contracts.answers import SOURCE_HEAD, SOURCE_ON_DEMAND, SOURCE_POPULAR
from contracts.errors import BadInput
from contracts.lake import REGION, SEGMENT

LIST, HISTORY, SESSION = "list", "history", "session"
PERSON_FIELDS = (LIST, HISTORY, SESSION, SEGMENT, REGION)
SOURCES = (SOURCE_HEAD, SOURCE_ON_DEMAND, SOURCE_POPULAR)
DEFAULT, OPTIONAL = "default", ("limit", "session")
MAX_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Placement:
    """One place. `limit` 0 is the whole stored list; `session`, whether newer events set the stored list aside."""

    name: str
    intent: str
    personal: bool
    sources: frozenset[str]
    fields: frozenset[str]
    limit: int = 0
    session: bool = False

    @property
    def hands_bytes_through(self) -> bool:
        """Whether a person's stored bytes are, unchanged, the answer."""
        return self.uses_list and not self.limit

    @property
    def uses_list(self) -> bool:
        """Whether a person's own stored list may answer."""
        return self.personal and SOURCE_HEAD in self.sources and LIST in self.fields

    @property
    def asks(self) -> bool:
        """Whether a list may be computed on demand."""
        return SOURCE_ON_DEMAND in self.sources


@dataclass(frozen=True, slots=True)
class Placements:
    """All places by name, and the one that a request without a name means."""

    by_name: Mapping[str, Placement]
    default: Placement

    def named(self, name: str) -> Placement:
        """The placement of that name; BadInput lists the known ones."""
        if name not in self.by_name:
            raise BadInput(f"placement {name[:80]!r} is unknown; known ones are {', '.join(self.by_name)}")
        return self.by_name[name]


def read_placements(file: str) -> Placements:
    """Read a TOML file of placements, or the shipped one when `file` is empty; BadInput says what is wrong."""
    try:
        text = Path(file).read_text() if file else files("serving").joinpath("placements.toml").read_text()
        tables = tomllib.loads(text)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"placements file {file or 'placements.toml'} cannot be read: {error}") from error
    default = tables.pop(DEFAULT, None)
    by_name = {name: _placement(name, table) for name, table in tables.items()}
    if default not in by_name:
        raise BadInput(f"default placement is {default!r}; it takes one of {', '.join(by_name)}")
    return Placements(by_name, by_name[default])


def _placement(name: str, table: Any) -> Placement:
    if not isinstance(table, dict):
        raise BadInput(f"placements file has {name!r} outside a table; only {DEFAULT!r} stands there")
    known = [field.name for field in fields(Placement) if field.name != "name"]
    _refuse_unknown(f"key of placement {name}", table, known)
    missing = [key for key in known if key not in table and key not in OPTIONAL]
    if missing:
        raise BadInput(f"placement {name} lacks {', '.join(missing)}")
    _refuse_unknown(f"source of placement {name}", table["sources"], SOURCES)
    _refuse_unknown(f"field of placement {name}", table["fields"], PERSON_FIELDS)
    sets = {key: frozenset(table[key]) for key in ("sources", "fields")}
    placement = Placement(**{**table, **sets, "name": name})
    _refuse_contradictions(placement)
    return placement


def _refuse_unknown(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for word in given:
        if word not in known:
            near = difflib.get_close_matches(str(word), known, n=3) or known
            raise BadInput(f"{what} is {word!r}, which is unknown; near ones are {', '.join(near)}")


def _refuse_contradictions(placement: Placement) -> None:
    name = placement.name
    for key in ("personal", "session"):
        if not isinstance(value := getattr(placement, key), bool):
            raise BadInput(f"placement {name} has {key} = {value!r}; write true or false")
    if not placement.personal and placement.fields:
        raise BadInput(f"placement {name} is not personal, but uses {', '.join(sorted(placement.fields))} of a person")
    if SOURCE_HEAD in placement.sources and LIST not in placement.fields:
        raise BadInput(f"placement {name} has the source head, but may not use the field list")
    if placement.asks and placement.fields.isdisjoint((HISTORY, SESSION)):
        raise BadInput(f"placement {name} has the source {SOURCE_ON_DEMAND}, but uses neither history nor session")
    if placement.session and not (placement.asks and SESSION in placement.fields):
        raise BadInput(
            f"placement {name} has session = true; that takes the source {SOURCE_ON_DEMAND} and the field session"
        )
    if not isinstance(placement.limit, int) or not 0 <= placement.limit <= MAX_LIMIT:
        raise BadInput(f"placement {name} has limit = {placement.limit!r}; it takes 1 to {MAX_LIMIT}, or 0 for all")
