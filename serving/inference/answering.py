"""One question answered: profile, live session laid over it, two stages. The same for a worker and a test."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from contracts.errors import BadInput, StoreUnavailable
from models.item_filter import FilterMasks
from models.live_state import StateTerms, categories_of, lay_over
from models.profile import Profile, Profiles
from models.two_stage import Bundle, recommend
from models.user_state import LiveSession, Ranked, Request
from serving.inference.feature_log import FeatureLog
from serving.inference.messages import TailAnswer, TailAsk, to_row

logger = logging.getLogger(__name__)

MAX_LIMIT, MAX_RANKED = 500, 1_000
WARM_CLICKS = 5
QUIET_SECONDS = 10.0  # between two lines about profiles that cannot be read


@dataclass(slots=True)
class Answerer:
    """Models of one version; `as_of_at` is the end of its hour in epoch seconds. For one thread."""

    version: str
    bundle: Bundle
    profiles: Profiles
    event_weights: Mapping[str, float]
    as_of_at: int
    feature_log: FeatureLog | None = None
    _delisted: frozenset[str] = frozenset()
    _unread_count: int = 0
    _quiet_until: float = 0.0
    _masks: FilterMasks = field(init=False)

    def __post_init__(self) -> None:
        self._masks = FilterMasks(self.bundle.candidates.attributes)

    def delist(self, item_ids: Sequence[str]) -> None:
        """Show none of these from now on."""
        self._delisted = frozenset(item_ids)

    def answer(self, ask: TailAsk) -> TailAnswer:
        """The best items for a person now; BadInput for a question that cannot be answered."""
        watch = _Watch()
        profile = self._profile(ask)
        watch.lap("profile")
        request = self._request(ask, profile)
        watch.lap("state")
        ranked = self._rank(ask, request)
        watch.lap("recommend")
        if self.feature_log is not None:
            self.feature_log.note(ask, request, self.bundle, known=profile is not None)
        return TailAnswer(
            version=self.version,
            item_ids=list(ranked.item_ids),
            scores=ranked.scores.tolist(),
            known_items=len(profile.own.item_ids) if profile is not None else 0,
            session_items=len({event[2] for event in ask.events if event[2]}),
            timings_ms=watch.laps,
        )

    def warm(self) -> None:
        """Answer a few questions of each kind, so that no caller waits for what is done once."""
        items = self.bundle.candidates.items.external_ids[:WARM_CLICKS]
        now_ms = int(time.time() * 1_000)
        events = [to_row((str(n), "view", item, now_ms, None)) for n, item in enumerate(items)]
        for _ in range(2):
            for clicks in range(len(events) + 1):
                self.answer(TailAsk("", limit=10, events=events[:clicks]))
            self.answer(TailAsk("", limit=10, items=list(items)))

    def _profile(self, ask: TailAsk) -> Profile | None:
        if ask.forgotten_ms >= self.as_of_at * 1_000:  # forgotten since: what the hour knew counts no more
            return None
        try:
            return self.profiles.read(ask.user_id)
        except StoreUnavailable as error:  # what they do now says more than nothing
            self._unread_count += 1
            if time.monotonic() >= self._quiet_until:
                self._quiet_until = time.monotonic() + QUIET_SECONDS
                logger.warning("profile_unread so_far=%d: %s", self._unread_count, error)
            return None

    def _request(self, ask: TailAsk, profile: Profile | None) -> Request:
        terms = StateTerms(int(time.time()), self.event_weights, categories_of(self.bundle.candidates))
        state = lay_over(profile, ask.user_id, _session(ask), terms)
        return replace(
            state,
            excluded=self._delisted.union(ask.excluded),
            allowed=None if ask.items is None else frozenset(ask.items),
            allowed_rows=self._masks.open_rows(ask.filter) if ask.filter else None,
        )

    def _rank(self, ask: TailAsk, request: Request) -> Ranked:
        if ask.items is None:
            if not 0 < ask.limit <= MAX_LIMIT:
                raise BadInput(f"limit is {ask.limit}; it takes 1 to {MAX_LIMIT}")
            return recommend(self.bundle, [request], ask.limit)[0]
        if len(ask.items) > MAX_RANKED:
            raise BadInput(f"{len(ask.items)} items came to be ranked; {MAX_RANKED} are the most")
        return _with_unknown(recommend(self.bundle, [request], len(ask.items))[0], ask.items, request.excluded)


class _Watch:
    """Milliseconds between instants."""

    def __init__(self) -> None:
        self.laps: list[tuple[str, float]] = []
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """A stage is done."""
        now = time.perf_counter()
        self.laps.append((stage, round((now - self._since) * 1_000, 3)))
        self._since = now


def _session(ask: TailAsk) -> LiveSession:
    return LiveSession.of_columns(
        item_ids=[event[2] for event in ask.events],
        event_types=[event[1] for event in ask.events],
        at_seconds=[event[3] // 1_000 for event in ask.events],
        values=[event[4] for event in ask.events],
    )


def _with_unknown(ranked: Ranked, items: Sequence[str], excluded: frozenset[str]) -> Ranked:
    """A ranked list with the items that the models do not know at its end, in their order, with the lowest score."""
    known = set(ranked.item_ids)
    unknown = [item for item in dict.fromkeys(items) if item not in known and item not in excluded]
    lowest = ranked.scores.min() if len(ranked.scores) else 0.0
    scores = np.concatenate((ranked.scores, np.full(len(unknown), lowest, np.float32)))
    return Ranked((*ranked.item_ids, *unknown), scores.astype(np.float32))
