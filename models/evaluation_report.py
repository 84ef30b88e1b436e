"""What an evaluation found, as plain values: the page, the plots, the screen and the JSON all read these."""

from dataclasses import asdict, dataclass, field
from typing import Any

from models.evaluation_intervals import Estimate

NDCG, RECALL, MRR, HIT = "ndcg@10", "recall@20", "mrr@20", "hit@10"
NOVELTY, DIVERSITY, LIFT, MISCALIBRATION = "novelty", "diversity", "popularity_lift", "miscalibration"
ACCURACY = (NDCG, RECALL, MRR, HIT)
CHARACTER = (NOVELTY, DIVERSITY, LIFT, MISCALIBRATION)
ALL, NOVEL, NEW_USERS = "all", "novel", "new users"
OURS = "Headrace"
BAND, REGION, LENGTH = "band", "region", "history"


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One method in one mode: metrics with intervals, coverage, differences of ours to it, and by group."""

    name: str
    metrics: dict[str, Estimate]
    coverage: float
    ahead: dict[str, Estimate]  # ours less this method, paired by user; empty for ours
    groups: dict[str, dict[str, Estimate]]  # kind of group, group: NDCG@10


@dataclass(frozen=True, slots=True)
class ModeResult:
    """All methods in one mode, ours first; `group_sizes` are users by kind of group and group."""

    mode: str
    users: int
    methods: tuple[MethodResult, ...]
    group_sizes: dict[str, dict[str, int]]

    @property
    def ours(self) -> MethodResult:
        """The lists that Headrace would serve."""
        return self.methods[0]

    @property
    def best_peer(self) -> MethodResult | None:
        """The peer with the highest NDCG@10; ties by name."""
        peers = sorted(self.methods[1:], key=lambda one: (-one.metrics[NDCG].mean, one.name))
        return peers[0] if peers else None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A method that could not be measured, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """The whole evaluation."""

    source: str
    split_at: str
    facts: dict[str, int | float | str]
    modes: tuple[ModeResult, ...]
    skipped: tuple[Skipped, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    peak_bytes: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values for machines, with the verdict."""
        return {**asdict(self), "verdict": verdict(self)}


def verdict(report: Report) -> str:
    """One sentence that answers: should I use this instead of what I have?"""
    judged = [(mode, mode.best_peer) for mode in report.modes if mode.mode != NEW_USERS]
    parts = [_compared(mode, peer) for mode, peer in judged if peer is not None and mode.users]
    if not parts:
        return "Nothing can be said: no other method was measured, or nobody has events after the split."
    standings = {standing for standing, _ in parts}
    lead = {
        frozenset({"ahead"}): "Yes",
        frozenset({"behind"}): "No",
        frozenset({"level"}): "It makes no difference to accuracy here",
        frozenset({"ahead", "level"}): "Yes, and nowhere worse",
    }.get(frozenset(standings), "It depends on what you show")
    return f"{lead}: {'; '.join(text for _, text in parts)}."


def _compared(mode: ModeResult, peer: MethodResult) -> tuple[str, str]:
    gap, theirs = peer.ahead[NDCG], peer.metrics[NDCG].mean
    standing = "ahead" if gap.low > 0 else "behind" if gap.high < 0 else "level"
    what = {ALL: "when repeats count", NOVEL: "when only new items count"}[mode.mode]
    shown = [f"{value / theirs:+.1%}" if theirs else f"{value:+.4f}" for value in (gap.mean, gap.low, gap.high)]
    words = {"ahead": "is ahead of", "behind": "is behind", "level": "cannot be told from"}[standing]
    difference = f"{shown[0]} NDCG@10 (95 % interval {shown[1]} to {shown[2]}, {mode.users:,} people)"
    return standing, f"{what}, {OURS} {words} the best other method, {peer.name}: {difference}"
