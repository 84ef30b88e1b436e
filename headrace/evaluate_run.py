"""One evaluation from the source to its results: split, models of the jobs, lists of every method, measures."""

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import numpy as np
from pyspark.sql import SparkSession

from contracts.errors import BadInput
from contracts.intervals import format_instant
from contracts.settings import Settings
from headrace.evaluate_data import Source, lay_past, region_names, split_instant
from headrace.evaluate_hour import STAGE as JOBS_STAGE
from headrace.evaluate_hour import Production, interval_at, run_jobs
from headrace.evaluate_questions import Asked, Split, ask_known, ask_new, known_people, split_source
from headrace.evaluate_spark_als import NAME as SPARK_ALS
from headrace.evaluate_spark_als import fit_spark_als
from headrace.memory_peak import peak_bytes
from ingest.outcome import OnProgress
from models.evaluation_lists import ItemFacts
from models.evaluation_measure import measure
from models.evaluation_report import ALL, NEW_USERS, NOVEL, OURS, Report, Skipped
from models.peers.peer import Ask, Lists, Peer, Recommender, fill
from spark_jobs.context import JobContext
from spark_jobs.session import spark_application

logger = logging.getLogger(__name__)
LIST_LENGTH = 20
MODES = (ALL, NOVEL, NEW_USERS)
Result = TypeVar("Result")
Application = Callable[[Settings], AbstractContextManager[SparkSession]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to evaluate: `split` a share or a date; `reveal` items of new people; no peer begins after `minutes`.

    The peer SPARK_ALS is fitted by the Spark of the jobs, whatever stands there.
    """

    peers: Mapping[str, Peer]
    split: str = "0.8"
    modes: tuple[str, ...] = MODES
    reveal: int = 5
    hold_out: float = 0.0
    most_users: int = 20_000
    minutes: float = 60.0


@dataclass(slots=True)
class Run:
    """What a run has cost so far, and what it had to leave out."""

    on_progress: OnProgress
    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    peak_bytes: int = 0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage, with a bar of its own."""
        started = time.monotonic()
        self.on_progress(name, 0, 1)
        yield
        self.seconds[name] = round(time.monotonic() - started, 1)
        self.peak_bytes = max(self.peak_bytes, peak_bytes())
        self.on_progress(name, 1, 1)

    def attempt(self, name: str, minutes: float, work: Callable[[], Result]) -> Result | None:
        """Do the work of a peer; one that fails, or that time is up for, is noted as skipped."""
        if time.monotonic() - self.began > 60 * minutes:
            self.skipped.append(Skipped(name, f"the {minutes:g} minutes of --minutes were over"))
            return None
        try:
            return work()
        except MemoryError:
            self.skipped.append(Skipped(name, "it needs more memory than there is"))
        except Exception as error:  # a stranger's code: it must not take the others' results with it
            logger.warning("event=peer_failed peer=%s", name, exc_info=True)
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            self.skipped.append(Skipped(name, f"it failed: {reason}"))
        return None


def evaluate(
    source: Source, name: str, plan: Plan, *, settings: Settings, run: Run, application: Application = spark_application
) -> Report:
    """Evaluate the production path and the plan's peers; this run empties and fills the folder `settings.root`."""
    split_at = split_instant(source, plan.split)
    with run.stage("splitting"):
        split = split_source(source, split_at, plan.hold_out)
        shutil.rmtree(settings.root, ignore_errors=True)
        lay_past(source, split_at, split.hidden, settings.root)
    with application(settings) as session:
        spark_als = _make_models(split, JobContext(interval_at(split_at), settings, session, cold=True), plan, run)
    production = Production.load(settings, interval_at(split_at))
    asked = _questions(source, split, plan, production.head)
    lists = _lists_of_ours(asked, production, run)
    popular = np.argsort(-split.past.item_users(), kind="stable").astype(np.int32)
    for peer_name, peer in plan.peers.items():
        fit = (lambda: spark_als) if peer_name == SPARK_ALS else partial(peer, split.past)
        with run.stage(peer_name):
            made = run.attempt(peer_name, plan.minutes, partial(_lists_of_peer, fit, asked, popular))
        for mode, found in (made or {}).items():
            lists[mode][peer_name] = found
    with run.stage("measuring"):
        people, known = split.past.item_users(), np.diff(split.past.starts) > 0
        facts = ItemFacts(people, split.past.category_codes, int(known.sum()))
        modes = tuple(measure(one.question, lists[one.question.mode], facts) for one in asked)
    shutil.rmtree(settings.root, ignore_errors=True)
    seconds = run.seconds | {"all": round(time.monotonic() - run.began, 1)}
    at = format_instant(datetime.fromtimestamp(split_at, UTC))
    return Report(name, at, _facts(source, split), modes, tuple(run.skipped), seconds, run.peak_bytes)


def _make_models(split: Split, context: JobContext, plan: Plan, run: Run) -> Recommender | None:
    """Run the jobs, and fit Spark's ALS beside them, in one Spark application."""
    with run.stage(JOBS_STAGE):
        run_jobs(context, run.on_progress)
    if SPARK_ALS not in plan.peers:
        return None
    with run.stage(f"{SPARK_ALS}: fit"):
        return run.attempt(SPARK_ALS, plan.minutes, lambda: fit_spark_als(context.session, split.past))


def _questions(source: Source, split: Split, plan: Plan, head: frozenset[str]) -> list[Asked]:
    rows, region_of = known_people(split, plan.most_users), region_names(source)
    asked = [
        ask_new(source, split, reveal=plan.reveal, most=plan.most_users)
        if mode == NEW_USERS
        else ask_known(split, rows, mode, head=head, region_of=region_of)
        for mode in plan.modes
    ]
    if not any(one.question.truths for one in asked):
        raise BadInput(f"nobody has events on both sides of {split.past.end_at}; choose an earlier --split")
    return asked


def _lists_of_ours(asked: list[Asked], production: Production, run: Run) -> dict[str, dict[str, Lists]]:
    """Lists of all methods by mode and name; ours come first."""
    with run.stage(f"{OURS}: lists"):
        return {
            one.question.mode: {OURS: production.lists(one.shown, Ask(LIST_LENGTH, one.novel), one.sessions)}
            for one in asked
        }


def _lists_of_peer(fit: Callable[[], Recommender | None], asked: list[Asked], popular: Lists) -> dict[str, Lists]:
    """A peer's lists by mode, popular items where it has no more; none of a peer that was skipped before."""
    recommender = fit()
    if recommender is None:
        return {}
    return {
        one.question.mode: fill(
            recommender(one.shown, Ask(LIST_LENGTH, one.novel)), popular, one.shown, novel=one.novel
        )
        for one in asked
    }


def _facts(source: Source, split: Split) -> dict[str, int | float | str]:
    unseen = np.setdiff1d(split.future.item_rows, split.past.item_rows)
    at = source.at_seconds
    return {
        "events before the split": len(split.past.item_rows),
        "events after the split": len(split.future.item_rows),
        "first event": format_instant(datetime.fromtimestamp(int(at[0]), UTC)),
        "last event": format_instant(datetime.fromtimestamp(int(at[-1]), UTC)),
        "people before the split": int((np.diff(split.past.starts) > 0).sum()),
        "items": len(split.past.items),
        "items touched before the split": len(np.unique(split.past.item_rows)),
        "share of events after the split on items untouched before (misses)": round(
            float(np.isin(split.future.item_rows, unseen).mean()), 4
        ),
        "people held out": len(split.hidden),
    }
