"""Look into a lake: its rows and its bytes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from contracts.lake import Table

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=UTC)


def rows_of(table: Table, lake: Path) -> list[dict[str, Any]]:
    """All rows of a raw table, partition by partition."""
    files = sorted(table.path(lake).rglob("*.parquet"))
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def bytes_of(lake: Path) -> dict[str, bytes]:
    """Every file of the lake."""
    return {str(file.relative_to(lake)): file.read_bytes() for file in lake.rglob("*") if file.is_file()}
