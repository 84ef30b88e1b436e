"""CSV a block at a time, every value as text; rows of the wrong width or encoding are reported, not fatal."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from contracts.errors import BadInput
from ingest.chunks import Chunk, Reject, reject_rows

BLOCK_BYTES = 2 * 1024**2
_DELIMITERS = ",;\t|"


def read_csv(path: Path) -> Iterator[Chunk]:
    """Read a CSV file with a header line, gzipped or not; the delimiter is the header's most frequent of , ; tab |."""
    names, delimiter = _read_header(path)
    wrong: list[Reject] = []

    def note(row: pa_csv.InvalidRow) -> str:
        reason = f"row has {row.actual_columns} fields, the header {row.expected_columns}"
        wrong.append(Reject(row.number - 1, reason, row.text))
        return "skip"

    with pa.OSFile(str(path)) as raw, _unpacked(raw, path) as stream:
        try:
            yield from _blocks(stream, raw, wrong, _options(names, delimiter, note))
        except (pa.ArrowInvalid, OSError) as error:
            raise BadInput(f"{path} is no readable CSV: {error}") from error


def _options(names: list[str], delimiter: str, note: object) -> dict[str, object]:
    return {
        "read_options": pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
        "parse_options": pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note),
        "convert_options": pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.binary())),
    }


def _blocks(
    stream: pa.NativeFile, raw: pa.NativeFile, wrong: list[Reject], options: dict[str, object]
) -> Iterator[Chunk]:
    good_rows = reported = 0
    skipped: list[int] = []
    with pa_csv.open_csv(stream, **options) as reader:
        for batch in reader:
            fresh = wrong[reported:]
            reported += len(fresh)
            skipped += [reject.source_row for reject in fresh]
            numbers = _physical_rows(good_rows, batch.num_rows, np.array(skipped, np.int64))
            good_rows += batch.num_rows
            yield _decode(Chunk(pa.Table.from_batches([batch]), numbers, raw.tell(), fresh))
    if wrong[reported:]:
        yield Chunk(pa.table({}), np.zeros(0, np.int64), raw.tell(), wrong[reported:])


def _decode(chunk: Chunk) -> Chunk:
    """Bytes become text; rows that are no UTF-8 are reported."""
    try:
        return replace(chunk, rows=chunk.rows.cast(_text_schema(chunk.rows)))
    except pa.ArrowInvalid:
        reasons = np.full(chunk.rows.num_rows, "", object)
        for column in chunk.rows.columns:
            reasons[[not _is_text(value) for value in column.to_pylist()]] = "row is no UTF-8"
        kept = chunk.rows.filter(pa.array(reasons == ""))
        broken = chunk.broken + reject_rows(chunk, reasons)
        return Chunk(kept.cast(_text_schema(kept)), chunk.source_rows[reasons == ""], chunk.bytes_done, broken)


def _text_schema(rows: pa.Table) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in rows.column_names])


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _physical_rows(done: int, count: int, skipped: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers in the file, from 1, of the good rows `done` .. `done + count`, knowing which rows were skipped."""
    good = np.arange(done, done + count)
    before = np.searchsorted(skipped - 1 - np.arange(len(skipped)), good, side="right")
    return cast("NDArray[np.int64]", good + 1 + before)


def _unpacked(raw: pa.NativeFile, path: Path) -> pa.NativeFile:
    return pa.CompressedInputStream(raw, "gzip") if path.suffix == ".gz" else raw


def _read_header(path: Path) -> tuple[list[str], str]:
    try:
        with pa.OSFile(str(path)) as raw, _unpacked(raw, path) as stream:
            begin = stream.read(BLOCK_BYTES).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    first, _, _ = begin.partition("\n")
    if not first.strip():
        raise BadInput(f"{path} has no header line; the first line of a CSV file names its columns")
    delimiter = max(_DELIMITERS, key=first.count)
    names = next(csv.reader(io.StringIO(begin, newline=""), delimiter=delimiter))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"{path} names a column twice: {', '.join(twice)}; rename one of them")
    return names, delimiter
