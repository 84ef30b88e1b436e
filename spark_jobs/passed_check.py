"""The agreement between check and publish: only partitions with the digests that passed may be served."""

from pathlib import Path

from contracts.errors import GateRefused
from contracts.lake import INTERVAL, LISTS, POPULAR, SEGMENTS, SIMILAR, Table
from contracts.manifest import Manifest

CHECKS, PUBLISHES = "checks", "publishes"
CHECKED: tuple[Table, ...] = (LISTS, POPULAR, SIMILAR, SEGMENTS)


def check_folder(lake: Path, interval_key: str) -> Path:
    """Where the outcome of an hour's check lies; it has a manifest only when the hour passed."""
    return lake / CHECKS / f"{INTERVAL}={interval_key}"


def publish_folder(lake: Path, interval_key: str) -> Path:
    """Where the manifest of an hour's latest publish lies."""
    return lake / PUBLISHES / f"{INTERVAL}={interval_key}"


def checked_digests(lake: Path, interval_key: str) -> dict[str, str]:
    """Digests of the partitions that a version is made of; MissingInput when one is not finished."""
    made_by = f"python -m headrace hour {interval_key}"
    return {table.name: Manifest.read(table.partition(lake, interval_key), made_by=made_by).digest for table in CHECKED}


def require_passed_check(lake: Path, interval_key: str) -> dict[str, str]:
    """The digests that passed; MissingInput without a check, GateRefused when partitions changed since."""
    passed = Manifest.read(check_folder(lake, interval_key), made_by=f"python -m headrace hour {interval_key}").inputs
    found = checked_digests(lake, interval_key)
    changed = sorted(name for name in found if passed.get(name) != found[name])
    if changed:
        raise GateRefused(
            f"{', '.join(changed)} of {interval_key} changed after the check passed; run the hour's check again"
        )
    return found
