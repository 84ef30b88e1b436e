"""Lake tables as Arrow: schemas, whole partitions in and out, with deterministic bytes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from contracts.errors import MissingInput
from contracts.lake import Table
from contracts.manifest import Manifest, digest_file
from models.folders import fill_folder

DATA_FILE = "part-0.parquet"
_SCALARS = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "float": pa.float32(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "map<string,string>": pa.map_(pa.string(), pa.string()),
}


def arrow_schema(table: Table) -> pa.Schema:
    """Arrow schema of a table of the lake, columns in the stated order."""
    return pa.schema([(column.name, _arrow_type(column.type)) for column in table.columns])


def read_partition(
    table: Table, lake: Path, *values: str, columns: list[str] | None = None, where: ds.Expression | None = None
) -> pa.Table:
    """Read one whole partition, or its rows where something holds; MissingInput when it has no files."""
    folder = table.partition(lake, *values)
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise MissingInput(
            f"table {table.name} has no partition {'/'.join(values)} in {lake}; run the job that makes it"
        )
    dataset = ds.dataset([str(file) for file in files], schema=arrow_schema(table), format="parquet")
    return dataset.to_table(columns=columns, filter=where)


def write_partition(table: Table, data: pa.Table, lake: Path, *values: str) -> str:
    """Replace one partition by one zstd file and return its digest; the caller writes the manifest.

    Rows must come sorted: equal rows in equal order give equal bytes.
    """
    rows = data.select(list(table.column_names)).cast(arrow_schema(table))
    digest = ""

    def write_file(partial: Path) -> None:
        nonlocal digest
        pq.write_table(rows, partial / DATA_FILE, compression="zstd")
        digest = digest_file(partial / DATA_FILE)

    fill_folder(table.partition(lake, *values), write_file)
    return digest


def manifest_of(table: Table, lake: Path, *values: str) -> Manifest:
    """The manifest of one partition; MissingInput names the job that makes it."""
    return Manifest.read(table.partition(lake, *values), made_by=f"the job that writes {table.name}")


def _arrow_type(kind: str) -> pa.DataType:
    if kind.startswith("array<"):
        return pa.list_(_arrow_type(kind[len("array<") : -1]))
    return _SCALARS[kind]
