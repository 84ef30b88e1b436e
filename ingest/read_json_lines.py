"""JSON lines, one object a line; a line that is none is reported, not fatal."""

import gzip
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from contracts.errors import BadInput
from ingest.chunks import CHUNK_ROWS, Chunk, Reject, text_columns
from ingest.string_maps import plain_text


def read_json_lines(path: Path) -> Iterator[Chunk]:
    """Read JSON objects, gzipped or not; values become text, nested ones JSON text. Blank lines are no rows."""
    with path.open("rb") as raw:
        lines = enumerate(gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw, start=1)
        while block := _next_block(path, lines):
            yield _to_chunk([(number, line) for number, line in block if line.strip()], raw.tell())


def _next_block(path: Path, lines: Iterator[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    try:
        return list(islice(lines, CHUNK_ROWS))
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be unpacked to its end: {error}") from error


def _to_chunk(lines: list[tuple[int, bytes]], bytes_done: int) -> Chunk:
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    broken: list[Reject] = []
    for number, line in lines:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            broken.append(Reject(number, f"line is no JSON: {error.msg}", _shown(line)))
            continue
        if isinstance(record, dict):
            records.append({name: plain_text(value) for name, value in record.items()})
            numbers.append(number)
        else:
            broken.append(Reject(number, "line is no JSON object", _shown(line)))
    names = dict.fromkeys(name for record in records for name in record)
    return Chunk(text_columns(names, records), np.array(numbers, np.int64), bytes_done, broken)


def _shown(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode(errors="backslashreplace")
