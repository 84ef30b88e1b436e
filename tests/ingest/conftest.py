"""Shared steps of the import tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.lake import EVENTS, Table
from ingest.column_plan import ColumnPlan
from ingest.import_files import import_files
from ingest.outcome import Outcome
from tests.ingest.lakes import NOW

Import = Callable[..., Outcome]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def run_import(lake: Path) -> Import:
    """import_files with the plan's parts as keywords."""

    def run(*files: Path, table: Table = EVENTS, **plan: Any) -> Outcome:
        return import_files(files, ColumnPlan(table, **plan), lake, now=NOW, on_progress=lambda *_: None)

    return run
