"""What answers for the long tail are worth: new people with five items, one click, the next item of a session.

`python -m benchmarks.tail_quality [--data FILE] [--root FOLDER]`. All answers come from `models.two_stage.recommend`
over bundles that the jobs made of real people; nobody who is judged was among them. The file of sessions is described
in docs/retrieval.md; without it that part is left out.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.report import Figure, show
from benchmarks.tail_rivals import Score, best, folded_in, item_neighbours, popularity
from benchmarks.tail_world import Ran, real_clicks, real_shop
from contracts.event_weights import parse_event_weights
from contracts.features import ITEM_STATS
from contracts.lake import EVENT_ID, EVENT_TYPE, ITEM_ID, OCCURRED_AT, USER_ID, VALUE
from contracts.overlay import MAX_SESSION_EVENTS
from models.evaluation import ndcg_at_k, recall_at_k, reciprocal_rank
from models.gate import paired_interval
from models.live_state import StateTerms, categories_of, lay_over
from models.two_stage import recommend
from models.user_state import LiveSession, Request
from spark_jobs.weights import read_weights

DATA, ROOT = Path("..") / "shared" / "data" / "serenade_sessions.parquet", Path("var") / "tail_quality"
KNOWN_ITEMS, TRUTH_SECONDS, DEPTH = 5, 7 * 86_400, 20
CLICKED, FIRST, TURN = 500, 10, 5.0
GOAL_MRR, GOAL_HIT_RATE = 0.339, 0.668
SHRINKAGES = (0.0, 10.0, 50.0)
OURS = "ours"


@dataclass(frozen=True, slots=True)
class Case:
    """One question with what came true."""

    request: Request
    known: tuple[str, ...]
    truth: frozenset[str]


def main() -> None:
    """Ask, judge, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--root", type=Path, default=ROOT)
    options = parser.parse_args()
    shop, later = real_shop(options.root.absolute() / "shop")
    cases = new_people(shop, later)
    figures = [*judge_new_people(shop, cases), *judge_one_click(shop)]
    conditions: dict[str, object] = {"new people": len(cases), "items": len(shop.bundle.candidates.items)}
    if options.data.exists():
        clicks, tested = real_clicks(options.data, options.root.absolute() / "clicks")
        steps = session_steps(clicks, tested)
        figures += judge_sessions(clicks, steps)
        conditions["clicks foretold"] = len(steps)
    show("tail_quality", figures, conditions)


def new_people(ran: Ran, later: pa.Table) -> list[Case]:
    """What strangers bought: their first five items are known, those of the seven days after shall be found."""
    events = later.to_pandas()[[USER_ID, ITEM_ID, EVENT_TYPE, VALUE, OCCURRED_AT, EVENT_ID]]
    events["at"] = events[OCCURRED_AT].astype("datetime64[s, UTC]").astype("int64")
    events["drawn"] = pd.util.hash_array(events[EVENT_ID].to_numpy(object), categorize=False)
    cases = []
    for user_id, mine in events.sort_values([USER_ID, "at", "drawn"]).groupby(USER_ID):
        ids = mine[ITEM_ID].tolist()
        known = tuple(dict.fromkeys(ids))[:KNOWN_ITEMS]
        seen = 1 + max(ids.index(item) for item in known)
        at = mine["at"].to_numpy()
        soon = at[seen:] < at[seen - 1] + TRUTH_SECONDS
        truth = frozenset(np.array(ids[seen:], object)[soon]) - set(known)
        if len(known) == KNOWN_ITEMS and truth:
            values = mine[VALUE].to_numpy(np.float64)[:seen]
            session = LiveSession(tuple(ids[:seen]), tuple(mine[EVENT_TYPE][:seen]), at[:seen], values)
            request = replace(_request(ran, str(user_id), session), excluded=frozenset(known))
            cases.append(Case(request, known, truth))
    return cases


def judge_new_people(ran: Ran, cases: Sequence[Case]) -> list[Figure]:
    """NDCG@10 and Recall@20 of everybody, and of ours against each."""
    candidates = ran.bundle.candidates
    _, weights = read_weights(ran.context, candidates.items)
    weights.data[:] = 1.0
    rivals: dict[str, Score] = {
        "popularity, 30 days": popularity(candidates, "item_count_30d"),
        "popularity, users": popularity(candidates, "item_user_count"),
        "ALS fold-in": folded_in(candidates),
    } | {f"item-kNN fold-in, shrinkage {shrunk:g}": item_neighbours(weights, shrunk) for shrunk in SHRINKAGES}
    lists = {name: [_listed(ran, score, case) for case in cases] for name, score in rivals.items()}
    lists[OURS] = [list(one.item_ids) for one in recommend(ran.bundle, [case.request for case in cases], DEPTH)]
    truths = [case.truth for case in cases]
    figures = []
    for what, measure in (("NDCG@10", ndcg_at_k), ("Recall@20", recall_at_k)):
        found = {name: measure(one, truths) for name, one in lists.items()}
        for name in rivals:
            low, high = paired_interval(found[OURS] - found[name])
            figures.append(
                Figure(
                    f"{what} of new people with {KNOWN_ITEMS} items",
                    f"{found[OURS].mean():.4f}",
                    f"{name} {found[name].mean():.4f}, difference {low:+.4f} to {high:+.4f}",
                    float(found[OURS].mean() / max(found[name].mean(), 1e-9)),
                    "better",
                    bool(found[OURS].mean() > found[name].mean()),
                )
            )
    return figures


def judge_one_click(ran: Ran) -> list[Figure]:
    """Share of the clicked item's category in the first ten, before and after a stranger's one click on it."""
    candidates = ran.bundle.candidates
    counts = np.nan_to_num(candidates.item_stats[:, ITEM_STATS.index("item_count_30d")])
    rows = np.flatnonzero((counts > 0) & (candidates.category_codes >= 0))
    drawn = np.sort(np.random.default_rng(7).choice(rows, min(CLICKED, len(rows)), replace=False))
    at = ran.context.end_seconds
    clicks = [_session((candidates.items.external_ids[row],), "click", np.array([at - 5])) for row in drawn]
    before, after = (
        np.mean(
            [_share(ran, request, candidates.category_codes[row]) for request, row in zip(asked, drawn, strict=True)]
        )
        for asked in (
            [Request("stranger", at)] * len(drawn),
            [replace(_request(ran, "stranger", session), as_of_at=at) for session in clicks],
        )
    )
    ratio = float(after / max(before, 1e-9))
    what = f"share of the category in the first {FIRST} after one click, {len(drawn)} items"
    return [Figure(what, f"{after:.4f}", f"before {before:.4f}", ratio, f">= {TURN}", ratio >= TURN)]


def session_steps(ran: Ran, tested: pa.Table) -> list[Case]:
    """Every click of a session but its first, to be found from those before; the item on the screen left out."""
    rows = tested.to_pandas().sort_values(["session_id", "ts"], kind="stable")
    cases = []
    for name, mine in rows.groupby("session_id"):
        ids, at = tuple(map(str, mine["item_id"])), mine["ts"].to_numpy(np.int64)
        for seen in range(1, len(ids)):
            session = _session(ids[:seen][-MAX_SESSION_EVENTS:], "click", at[:seen][-MAX_SESSION_EVENTS:])
            cases.append(Case(_request(ran, str(name), session), ids[seen - 1 : seen], frozenset({ids[seen]})))
    return cases


def judge_sessions(ran: Ran, steps: Sequence[Case]) -> list[Figure]:
    """MRR@20 and HR@20 of both stages, and of the session model alone."""
    truths = [case.truth for case in steps]
    ours = [list(one.item_ids) for one in recommend(ran.bundle, [case.request for case in steps], DEPTH)]
    stage, names = ran.bundle.session, ran.bundle.candidates.items.external_ids
    alone = [
        [] if stage is None else [names[row] for row in stage.next_items(case.request.session, DEPTH).rows]
        for case in steps
    ]
    ranks, others = (reciprocal_rank(lists, truths, DEPTH) for lists in (ours, alone))
    figures = []
    for what, one, other, goal in (
        ("MRR@20", ranks, others, GOAL_MRR),
        ("HR@20", ranks > 0, others > 0, GOAL_HIT_RATE),
    ):
        measured, reference = float(one.mean()), float(other.mean())
        beside = f"the session model alone {reference:.4f}"
        ratio = measured / max(reference, 1e-9)
        figures.append(
            Figure(f"{what} of the next item", f"{measured:.4f}", beside, ratio, f"> {goal}", measured > goal)
        )
    return figures


def _request(ran: Ran, user_id: str, session: LiveSession) -> Request:
    weights = parse_event_weights(ran.context.settings.event_weights)
    terms = StateTerms(int(session.at_seconds[-1]), weights, categories_of(ran.bundle.candidates))
    return lay_over(None, user_id, session, terms)


def _session(item_ids: tuple[str, ...], kind: str, at_seconds: NDArray[np.int64]) -> LiveSession:
    return LiveSession(item_ids, (kind,) * len(item_ids), at_seconds, np.full(len(item_ids), np.nan))


def _listed(ran: Ran, score: Score, case: Case) -> list[str]:
    items = ran.bundle.candidates.items
    rows = items.rows(case.known)
    rows = rows[rows >= 0]
    return [items.external_ids[row] for row in best(score(rows), rows, DEPTH)]


def _share(ran: Ran, request: Request, code: int) -> float:
    (ranked,) = recommend(ran.bundle, [request], FIRST)
    codes = ran.bundle.candidates.category_codes[ran.bundle.candidates.items.rows(ranked.item_ids)]
    return float(np.mean(codes == code))


if __name__ == "__main__":
    main()
