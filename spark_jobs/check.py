"""The gate before publishing: counts, coverage, contents, overlap with what serves, and a floor of quality."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import GateRefused
from contracts.lake import ITEM_IDS, LISTS, POPULAR, SIMILAR, USER_ID
from contracts.manifest import FILE_NAME, Manifest, digest_of
from contracts.redis_layout import Pointer
from contracts.settings import Settings
from models.evaluation import ndcg_at_k
from spark_jobs.check_inputs import Hour, read_hour
from spark_jobs.check_rules import broken_lists, broken_popular, broken_similar, broken_users, coverage, overlap
from spark_jobs.context import JobContext, Stopwatch, log_done, run_alone
from spark_jobs.flat_lists import FlatLists
from spark_jobs.passed_check import check_folder, checked_digests
from spark_jobs.publication import is_superseded
from spark_jobs.redis_store import open_store

JOB = "check"
NDCG_AT = 10
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures that settings put a floor under; None where there is nothing to measure."""

    coverage: float
    overlap: float | None
    ndcg: float | None
    served_ndcg: float | None

    def refusals(self, settings: Settings, *, is_backfill: bool) -> Iterator[str]:
        """Sentences for each figure below its floor; an older hour need not resemble the newer one that serves."""
        if self.coverage < settings.minimum_coverage:
            yield _below("coverage", self.coverage, settings.minimum_coverage)
        if self.overlap is not None and self.overlap < settings.minimum_overlap and not is_backfill:
            yield _below("overlap", self.overlap, settings.minimum_overlap)
        if self.ndcg is not None and self.ndcg < settings.minimum_ndcg:
            yield _below("ndcg", self.ndcg, settings.minimum_ndcg)


def run(context: JobContext) -> None:
    """Leave the note without which nothing is published; GateRefused names every rule that failed."""
    watch = Stopwatch()
    folder = check_folder(context.lake, context.key)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE_NAME).unlink(missing_ok=True)
    pointer = _pointer(context.settings)
    inputs, hour = checked_digests(context.lake, context.key), read_hour(context, pointer)
    quality = measure(hour, context.settings)
    refusals = [*broken_hour(hour, context.settings)]
    refusals += quality.refusals(context.settings, is_backfill=is_superseded(pointer, context.key))
    figures = _figures(hour, quality)
    if refusals:
        logger.error("event=check_refused interval=%s figures=%s", context.key, figures)
        raise GateRefused(
            f"{context.key} is not fit to be served, and what was published keeps serving: {'; '.join(refusals)}"
        )
    digest = digest_of(*(f"{name}={digest}" for name, digest in sorted(inputs.items())))
    manifest = Manifest(JOB, hour.lists.num_rows, digest, inputs, watch.seconds, figures)
    manifest.write(folder)
    log_done(context, manifest)


def broken_hour(hour: Hour, settings: Settings) -> Iterator[str]:
    """Sentences for each rule of content that the hour breaks."""
    tables = ((LISTS, hour.lists), (POPULAR, hour.popular), (SIMILAR, hour.similar))
    for table, rows in tables:
        longest = max(settings.list_size, 1)
        yield from broken_lists(table.name, FlatLists.of(rows), known=hour.known, longest=longest)
    yield from broken_users(hour.lists, hour.head)
    yield from broken_popular(hour.popular)
    yield from broken_similar(hour.similar, FlatLists.of(hour.similar))


def measure(hour: Hour, settings: Settings) -> Quality:
    """Coverage, overlap and NDCG of the hour; a list is full when it holds all that a small catalogue offers."""
    full = min(settings.list_size, settings.candidate_count, hour.offered)
    covered = coverage(FlatLists.of(hour.lists), head_count=hour.head.num_rows, full=full)
    kept = overlap(hour.lists, hour.served) if hour.served is not None else None
    served_ndcg = None if hour.served is None else mean_ndcg(hour.served, hour.truths)
    return Quality(covered, kept, mean_ndcg(hour.lists, hour.truths), served_ndcg)


def mean_ndcg(lists: pa.Table, truths: dict[str, set[str]]) -> float | None:
    """Mean NDCG of the lists whose users touched something in the hour; None without any."""
    rows = lists.filter(pc.is_in(lists.column(USER_ID), pa.array(truths, pa.string())))
    if not rows.num_rows:
        return None
    first = [row[:NDCG_AT] for row in rows.column(ITEM_IDS).to_pylist()]
    wanted = [truths[user] for user in rows.column(USER_ID).to_pylist()]
    return float(ndcg_at_k(first, wanted, NDCG_AT).mean())


def _pointer(settings: Settings) -> Pointer | None:
    with open_store(settings) as store:
        return store.readable_pointer()


def _figures(hour: Hour, quality: Quality) -> dict[str, float | int | str]:
    measured = {"coverage": quality.coverage, "overlap": quality.overlap, f"ndcg_at_{NDCG_AT}": quality.ndcg}
    measured[f"served_ndcg_at_{NDCG_AT}"] = quality.served_ndcg
    counts = {
        "lists": hour.lists.num_rows,
        "popular": hour.popular.num_rows,
        "similar": hour.similar.num_rows,
        "head_users": hour.head.num_rows,
        "known_items": len(hour.known),
        "users_with_events": len(hour.truths),
    }
    return counts | {name: round(value, 6) for name, value in measured.items() if value is not None}


def _below(name: str, found: float, floor: float) -> str:
    setting = f"HEADRACE_MINIMUM_{name.upper()}"
    return f"{name} is {found:.4f} and {setting} asks for {floor}; look at the hour's inputs, or lower {setting}"


if __name__ == "__main__":
    run_alone(run, spark=False)
