"""Files become rows of the lake: every row read is accepted, a duplicate, or rejected with its reason."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from contracts.lake import EVENTS
from ingest.chunks import Chunk
from ingest.column_plan import ColumnPlan
from ingest.lay_events import Laid, lay_down
from ingest.normalise import to_entities, to_events
from ingest.outcome import OnProgress, Outcome
from ingest.reject_log import RejectLog
from ingest.schemas import schema_of
from ingest.scratch import open_scratch
from ingest.snapshots import merge_snapshot
from ingest.sources import read_chunks
from ingest.staging import Stage

logger = logging.getLogger(__name__)
READING, LAYING = "reading", "laying down"


def import_files(
    files: Sequence[Path], plan: ColumnPlan, lake: Path, *, now: datetime, on_progress: OnProgress
) -> Outcome:
    """Import files of one kind. BadInput before the lake is touched; importing the same again changes nothing."""
    with open_scratch(lake) as scratch:
        log = RejectLog(scratch)
        rows = _accepted(files, plan, now, log, on_progress)
        if plan.table is EVENTS:
            read, laid = _import_events(rows, lake, scratch, on_progress)
        else:
            entities = pa.concat_tables([schema_of(plan.table).empty_table(), *rows])
            read, laid = entities.num_rows, merge_snapshot(plan.table, entities, lake, scratch)
        partition = log.publish(lake)
    outcome = Outcome.of(plan.table.name, read + log.count, laid, log.count, rejects=partition, reasons=log.reasons)
    logger.info("%s", outcome.sentence())
    return outcome


def _accepted(
    files: Sequence[Path], plan: ColumnPlan, now: datetime, log: RejectLog, on_progress: OnProgress
) -> Iterator[pa.Table]:
    total, done = sum(file.stat().st_size for file in files), 0
    for file in files:
        for chunk in _checked(file, plan):
            is_event = plan.table is EVENTS
            rows, rejects = to_events(chunk, plan, now) if is_event else to_entities(chunk, plan)
            log.take(file, chunk.broken + rejects)
            on_progress(READING, done + chunk.bytes_done, total)
            yield rows
        done += file.stat().st_size
    on_progress(READING, total, total)


def _checked(file: Path, plan: ColumnPlan) -> Iterator[Chunk]:
    """Chunks of a file, the first one held against the plan."""
    is_first = True
    for chunk in read_chunks(file):
        if is_first and chunk.rows.column_names:
            plan.check(file, chunk.rows.column_names)
            is_first = False
        yield chunk


def _import_events(rows: Iterator[pa.Table], lake: Path, scratch: Path, on_progress: OnProgress) -> tuple[int, Laid]:
    stage, read = Stage(scratch), 0
    for some in rows:
        stage.add(some)
        read += some.num_rows
    return read, lay_down(stage, lake, scratch, lambda done, total: on_progress(LAYING, done, total))
