"""Files to import: found by name, glob or folder, told apart by suffix, read chunk by chunk."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import BadInput
from ingest.chunks import CHUNK_ROWS, Chunk
from ingest.read_csv import read_csv
from ingest.read_json_lines import read_json_lines

_CSV, _JSON, _PARQUET = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson", ".json"), (".parquet", ".pq")


def find_files(names: Sequence[str]) -> list[Path]:
    """Files that names, globs and folders stand for, each once; BadInput names what matches nothing."""
    found: list[Path] = []
    for name in names:
        matches = [Path(name)] if Path(name).exists() else _matching(Path(name))
        files = [file for match in matches for file in (_inside(match) if match.is_dir() else [match])]
        if not files:
            raise BadInput(f"{name} matches no file to import; give CSV, Parquet or JSON-lines files")
        found += files
    return list(dict.fromkeys(found))


def read_chunks(path: Path) -> Iterator[Chunk]:
    """Read one file; BadInput when its suffix or its content is none that can be read."""
    suffix = _suffix(path)
    if suffix in _CSV:
        return read_csv(path)
    if suffix in _JSON:
        return read_json_lines(path)
    if suffix in _PARQUET:
        return _read_parquet(path)
    known = ", ".join((*_CSV, *_JSON, *_PARQUET))
    raise BadInput(f"{path} has no suffix that tells its format; known are {known} (CSV and JSON lines also with .gz)")


def _read_parquet(path: Path) -> Iterator[Chunk]:
    size, done = path.stat().st_size, 0
    try:
        with pq.ParquetFile(path) as file:
            total = max(1, file.metadata.num_rows)
            for batch in file.iter_batches(batch_size=CHUNK_ROWS):
                numbers = np.arange(done + 1, done + batch.num_rows + 1)
                done += batch.num_rows
                yield Chunk(pa.Table.from_batches([batch]), numbers, size * done // total)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path} is no readable Parquet: {error}") from error


def _matching(pattern: Path) -> list[Path]:
    return sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


def _inside(folder: Path) -> list[Path]:
    readable = (*_CSV, *_JSON, *_PARQUET)
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and _suffix(file) in readable)
    return [file for file in files if not file.name.startswith(("_", "."))]


def _suffix(path: Path) -> str:
    return Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()
