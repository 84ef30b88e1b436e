"""What an import came to: read = accepted + duplicates + rejected."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingest.lay_events import Laid

# Hears a stage's name, how much of it is done, and how much there is.
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Rows of one table: every row read is accepted, a duplicate or rejected (`reasons` counts why)."""

    table: str
    read: int
    accepted: int
    duplicates: int
    rejected: int
    rejects: Path | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        table: str,
        read: int,
        laid: Laid,
        rejected: int = 0,
        *,
        rejects: Path | None = None,
        reasons: Mapping[str, int] | None = None,
    ) -> "Outcome":
        """Sum up; AssertionError when a row was lost or counted twice."""
        if read != laid.accepted + laid.duplicates + rejected:
            raise AssertionError(f"{table}: {read} rows read, but {laid} and {rejected} rejected")
        return cls(table, read, laid.accepted, laid.duplicates, rejected, rejects, reasons or {})

    def sentence(self) -> str:
        """The counts as one line."""
        return (
            f"{self.table}: {self.read:,} read = {self.accepted:,} accepted"
            f" + {self.duplicates:,} duplicates + {self.rejected:,} rejected"
        )
