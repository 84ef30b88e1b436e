"""Rejected rows go to a partition named by what is in it, so that the same import leaves the same bytes."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.lake import RAW, REASON, REJECTS, SOURCE_FILE, SOURCE_ROW
from contracts.manifest import digest_file
from ingest.chunks import Reject
from ingest.schemas import REJECTS_SCHEMA
from ingest.scratch import swap_folder

_FLUSH_ROWS = 10_000


class RejectLog:
    """Takes rejects as they come and keeps few of them in memory."""

    def __init__(self, scratch: Path) -> None:
        self.count = 0
        self.reasons: dict[str, int] = {}
        self._scratch = scratch
        self._folder = scratch / REJECTS.name
        self._held: list[dict[str, object]] = []
        self._writer: pq.ParquetWriter | None = None

    def take(self, source_file: Path, rejects: Iterable[Reject]) -> None:
        """Note the rejects of a file."""
        for reject in rejects:
            self.count += 1
            self.reasons[reject.reason] = self.reasons.get(reject.reason, 0) + 1
            self._held.append(
                {
                    SOURCE_FILE: str(source_file),
                    SOURCE_ROW: reject.source_row,
                    REASON: reject.reason,
                    RAW: reject.raw,
                }
            )
            if len(self._held) >= _FLUSH_ROWS:
                self._flush()

    def publish(self, lake: Path) -> Path | None:
        """Put the partition into the lake and return it; None when nothing was rejected."""
        self._flush()
        if self._writer is None:
            return None
        self._writer.close()
        part = self._folder / "part.parquet"
        digest = digest_file(part)
        part.rename(self._folder / f"part-{digest}.parquet")
        target = REJECTS.partition(lake, digest)
        if not target.exists():
            swap_folder(self._folder, target, self._scratch)
        return target

    def _flush(self) -> None:
        if not self._held:
            return
        if self._writer is None:
            self._folder.mkdir()
            self._writer = pq.ParquetWriter(
                self._folder / "part.parquet", REJECTS_SCHEMA, compression="zstd", store_schema=False
            )
        self._writer.write_table(pa.Table.from_pylist(self._held, REJECTS_SCHEMA))
        self._held = []
