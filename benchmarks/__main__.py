"""`python -m benchmarks [NAME …]`: run every benchmark, or those named, and write docs/benchmarks.md of all results."""

import subprocess
import sys

from benchmarks.page import BENCHMARKS, write_page


def main(names: list[str]) -> int:
    """Run one after the other, each in a process of its own; the exit code counts those that failed."""
    if strange := sorted(set(names) - set(BENCHMARKS)):
        print(f"no benchmark is called {', '.join(strange)}; there is {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    failed = 0
    for name in names or BENCHMARKS:
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode != 0
        write_page()
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
