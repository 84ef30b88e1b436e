"""Tables of a row a user and item, too large to be sorted in memory, handed out by ranges of user ids.

The tables are read once and cut into files by range; ranges hold about equally many rows, few enough to be sorted.
"""

import shutil
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from contracts.features import USER_STATS_TABLE
from contracts.lake import INTERACTIONS, USER_ID, Table
from models.tables import arrow_schema, read_partition
from spark_jobs.context import JobContext

RANGE_ROWS = 400_000  # interactions sorted at once: some 200 MB
MAX_RANGES = 500  # each is an open file while a table is cut
_BATCH_ROWS = 131_072
SCRATCH = "profiles"
_QUICK = pa.ipc.IpcWriteOptions(compression="lz4")
_ITEMS_OF = "user_item_count"


def people_in_order(context: JobContext, range_rows: int = RANGE_ROWS) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The interval's interactions and statistics, range by range of ascending user ids; in no order within a range."""
    scratch = context.layout.cache / f"{SCRATCH}-{context.key}"
    shutil.rmtree(scratch, ignore_errors=True)
    bounds = _bounds(context, range_rows)
    try:
        for table in (INTERACTIONS, USER_STATS_TABLE):
            _cut(context, table, bounds, scratch / table.name)
        for number in range(len(bounds) + 1):
            yield _part(scratch, INTERACTIONS, number), _part(scratch, USER_STATS_TABLE, number)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _bounds(context: JobContext, range_rows: int) -> list[str]:
    """First ids of all ranges but the first, so that each has about `range_rows` interactions."""
    counts = read_partition(USER_STATS_TABLE, context.tables, context.key, columns=[USER_ID, _ITEMS_OF])
    counts = counts.sort_by(USER_ID)
    until = np.cumsum(counts[_ITEMS_OF].to_numpy())
    ranges = (until - 1) // max(range_rows, until.max(initial=0) // MAX_RANGES)
    first = np.flatnonzero(np.diff(ranges, prepend=0))
    return pc.take(counts[USER_ID], pa.array(first)).to_pylist()  # type: ignore[no-any-return]


def _cut(context: JobContext, table: Table, bounds: list[str], folder: Path) -> None:
    """Write a file a range; only one batch is in memory."""
    folder.mkdir(parents=True)
    schema = arrow_schema(table)
    files = sorted(table.partition(context.tables, context.key).glob("*.parquet"))
    batches = ds.dataset([str(file) for file in files], schema=schema, format="parquet").to_batches(
        batch_size=_BATCH_ROWS, batch_readahead=1, fragment_readahead=1
    )
    with ExitStack() as open_files:
        writers = [
            open_files.enter_context(pa.ipc.new_file(str(folder / str(number)), schema, options=_QUICK))
            for number in range(len(bounds) + 1)
        ]
        for batch in batches:
            for number, rows in _by_range(batch, bounds):
                writers[number].write_batch(rows)


def _by_range(batch: pa.RecordBatch, bounds: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
    coded = batch[USER_ID].dictionary_encode()
    of_user = np.array([bisect_right(bounds, user) for user in coded.dictionary.to_pylist()], np.int64)
    numbers = of_user[coded.indices.to_numpy()]
    order = np.argsort(numbers, kind="stable")
    ends = np.searchsorted(numbers[order], np.arange(len(bounds) + 2))
    for number, (start, end) in enumerate(pairwise(ends.tolist())):
        if end > start:
            yield number, batch.take(pa.array(order[start:end]))


def _part(scratch: Path, table: Table, number: int) -> pa.Table:
    with pa.OSFile(str(scratch / table.name / str(number))) as file:
        return pa.ipc.open_file(file).read_all()
