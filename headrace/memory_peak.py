"""Most memory that this process and those it started have held, as Linux counts it."""

import resource
from pathlib import Path

_PROCESSES = Path("/proc")
_PEAK = "VmHWM:"


def peak_bytes() -> int:
    """Peaks of this process and of all that descend from it now, summed: an upper bound of what was held at once.

    Where there is no /proc, the peak of this process alone.
    """
    own = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return own + sum(_peak_of(process) for process in _descendants(_PROCESSES / "self"))


def _descendants(process: Path) -> list[Path]:
    """Processes started by any thread of `process`, and theirs in turn."""
    found: list[Path] = []
    for file in process.glob("task/*/children"):
        try:
            started = [_PROCESSES / number for number in file.read_text().split()]
        except OSError:  # ended meanwhile
            continue
        for one in started:
            found += [one, *_descendants(one)]
    return found


def _peak_of(process: Path) -> int:
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(_PEAK))
