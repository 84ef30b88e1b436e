"""The import law of docs/architecture.md, read off the import statements."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "contracts": set(),
    "models": {"contracts"},
    "ingest": {"contracts"},
    "spark_jobs": {"contracts", "models"},
    "serving": {"contracts", "models", "ingest"},
    "dags": {"contracts"},
    "headrace": {"contracts", "models", "ingest", "spark_jobs", "serving"},
}
NEVER = {
    "contracts": {"numpy", "pandas", "pyarrow", "pyspark", "redis", "flask", "airflow"},
    "models": {"pyspark", "redis", "flask", "airflow", "pandas"},
    "ingest": {"pyspark", "flask", "airflow", "pandas"},
    "spark_jobs": {"flask", "airflow"},
    "serving": {"pyspark", "airflow", "torch", "pandas", "implicit"},
    "dags": {"pyspark", "redis", "flask", "numpy", "pandas"},
}


def imported_modules(source: str) -> set[str]:
    """Absolute names that a module imports anywhere, functions included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def broken_laws(room: str, source: str) -> list[str]:
    """Imports of a module of `room` that the law forbids."""
    tops = {name.split(".")[0] for name in imported_modules(source)}
    foreign_rooms = (tops & set(MAY_IMPORT)) - MAY_IMPORT[room] - {room}
    return sorted(foreign_rooms | (tops & NEVER.get(room, set())))


def modules() -> Iterator[tuple[str, Path]]:
    for room in MAY_IMPORT:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield room, path


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_no_room_imports_what_the_law_forbids(room: str) -> None:
    broken = {str(p.relative_to(ROOT)): broken_laws(r, p.read_text()) for r, p in modules() if r == room}
    assert not {path: names for path, names in broken.items() if names}


def test_the_law_sees_an_import_inside_a_function() -> None:
    assert broken_laws("serving", "def f():\n    from pyspark.sql import Row\n") == ["pyspark"]
    assert broken_laws("models", "import spark_jobs.context") == ["spark_jobs"]


def test_only_publishing_knows_redis_among_the_jobs() -> None:
    knowing = [path.name for room, path in modules() if room == "spark_jobs" and "redis" in _tops(path)]
    assert set(knowing) <= {
        "publish.py",
        "versions.py",
        "redis_writer.py",
        "redis_store.py",
        "retention.py",
        "check.py",
    }


def test_modules_form_no_circle() -> None:
    graph = {_module(path): set(imported_modules(path.read_text())) for _, path in modules()}
    edges = {name: {other for other in found if other in graph and other != name} for name, found in graph.items()}
    while leaves := [name for name, found in edges.items() if not found]:
        for leaf in leaves:
            del edges[leaf]
        edges = {name: found - set(leaves) for name, found in edges.items()}
    assert not edges, f"these import each other: {sorted(edges)}"


def _tops(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported_modules(path.read_text())}


def _module(path: Path) -> str:
    return str(path.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__")
