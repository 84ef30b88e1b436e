"""Who is asked for in which mode, what is known of them, and what turned out true."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.lake import ITEM_ID, PRICE, USER_ID
from headrace.evaluate_data import Source, categories
from headrace.evaluate_hour import sessions_of
from models.evaluation_groups import HEAD, NEW, TAIL, bands, lengths, regions
from models.evaluation_measure import Question
from models.evaluation_report import BAND, LENGTH, NEW_USERS, NOVEL, REGION
from models.id_map import IdMap
from models.peers.histories import Catalogue, Histories, histories_of
from models.user_state import LiveSession


@dataclass(frozen=True, slots=True)
class Asked:
    """People of one mode: what is shown of them, their live sessions where they are new, and the truth."""

    question: Question
    shown: Histories
    sessions: list[LiveSession]

    @property
    def novel(self) -> bool:
        """Whether lists hold nothing of the history."""
        return self.question.mode == NOVEL


@dataclass(frozen=True, slots=True)
class Split:
    """Everybody's events before and after the split; `hidden` people have none before it."""

    past: Histories
    future: Histories
    hidden: frozenset[str]


def split_source(source: Source, split_at: int, hold_out: float) -> Split:
    """Cut all events at the split; a share `hold_out` of those who came back is made new, by a hash of their ids."""
    users = IdMap.of(pc.unique(source.events[USER_ID]).to_pylist())
    catalogue = _catalogue(source)
    at = source.at_seconds
    rows = _codes(source.events, USER_ID, users).astype(np.int64), _codes(source.events, ITEM_ID, catalogue.items), at
    early = at < split_at
    future = histories_of(users.external_ids, catalogue, _pick(rows, ~early), end_at=int(at.max()) + 1)
    back = [users.external_ids[row] for row in np.flatnonzero(np.diff(future.starts))]
    hidden = frozenset(user for user in back if _draw(user) < hold_out)
    hidden_rows = np.isin(rows[0], users.rows(sorted(hidden)))
    past = histories_of(users.external_ids, catalogue, _pick(rows, early & ~hidden_rows), end_at=split_at)
    return Split(past, future, hidden)


def known_people(split: Split, most: int) -> NDArray[np.int64]:
    """Rows of people with events on both sides of the split; beyond `most` a sample by hash of their ids."""
    found = np.flatnonzero((np.diff(split.past.starts) > 0) & (np.diff(split.future.starts) > 0))
    return _sample(split.past.users, found, most)


def ask_known(
    split: Split, rows: NDArray[np.int64], mode: str, *, head: Collection[str], region_of: Mapping[str, str | None]
) -> Asked:
    """People with a history; in the mode `novel` what they knew is no truth, and whoever found nothing new is out."""
    truths = _truths(split.future.of_users(rows))
    if mode == NOVEL:
        truths = [truth - own for truth, own in zip(truths, _truths(split.past.of_users(rows)), strict=True)]
    kept = np.array([place for place, truth in enumerate(truths) if truth], np.int64)
    shown = split.past.of_users(rows[kept])
    part, names = lengths(np.diff(shown.starts))
    groups = {
        BAND: bands(shown.users, head),
        LENGTH: np.array(names, np.str_)[part],
        REGION: regions(shown.users, region_of),
    }
    order = {BAND: [HEAD, TAIL], LENGTH: names, REGION: sorted(set(groups[REGION].tolist()))}
    question = Question(mode, [truths[place] for place in kept.tolist()], shown.counts(), groups, order)
    return Asked(question, shown, [])


def ask_new(source: Source, split: Split, *, reveal: int, most: int) -> Asked:
    """People without a history: their first items after the split are shown, what comes then is the truth."""
    new = np.flatnonzero((np.diff(split.past.starts) == 0) & (np.diff(split.future.starts) > 0))
    everything = split.future.of_users(_sample(split.future.users, new, most))
    shown = everything.first_items(reveal)
    later = [
        frozenset(everything.item_rows[begin:end].tolist())
        for begin, end in zip(everything.starts[:-1] + np.diff(shown.starts), everything.starts[1:], strict=True)
    ]
    kept = np.array([place for place, truth in enumerate(later) if truth], np.int64)
    shown = shown.of_users(kept)
    after = source.events.filter(pa.array(source.at_seconds >= split.past.end_at))
    question = Question(
        NEW_USERS,
        [later[place] for place in kept.tolist()],
        shown.counts(),
        {BAND: np.full(len(kept), NEW)},
        {BAND: [NEW]},
    )
    return Asked(question, shown, sessions_of(after, shown))


def _catalogue(source: Source) -> Catalogue:
    category_of = categories(source)
    price_of = dict(zip(source.items[ITEM_ID].to_pylist(), source.items[PRICE].to_pylist(), strict=True))
    items = IdMap.of([*category_of, *pc.unique(source.events[ITEM_ID]).to_pylist()])
    names = IdMap.of(name for name in category_of.values() if name)
    codes = names.rows([category_of.get(item) or "" for item in items.external_ids])
    prices = [price_of.get(item) for item in items.external_ids]
    return Catalogue(items, codes, np.array([np.nan if price is None else price for price in prices], np.float64))


def _codes(events: pa.Table, column: str, known: IdMap) -> NDArray[np.int32]:
    coded = events[column].combine_chunks().dictionary_encode()
    return np.asarray(known.rows(coded.dictionary.to_pylist())[coded.indices.to_numpy()], np.int32)


def _pick(
    rows: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    users, items, at = rows
    return users[kept], items[kept], at[kept]


def _truths(histories: Histories) -> list[frozenset[int]]:
    bounds = zip(histories.starts[:-1], histories.starts[1:], strict=True)
    return [frozenset(histories.item_rows[begin:end].tolist()) for begin, end in bounds]


def _sample(users: tuple[str, ...], rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(rows) <= most:
        return rows
    drawn = np.array([_draw(users[row]) for row in rows.tolist()])
    return np.sort(rows[np.argsort(drawn, kind="stable")[:most]])


def _draw(user: str) -> float:
    """A number from 0 to 1 that hangs on the id alone."""
    return int.from_bytes(hashlib.blake2b(user.encode(), digest_size=8).digest(), "big") / 2**64
