"""Processes that live and die together: whatever way the parent ends, none of them is left behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import psutil

from contracts.errors import MissingInput

MARK = "RUN_BY_HEADRACE"  # in the environment of every process of a stack; its value is the stack's root
PROJECT = Path(__file__).resolve().parents[1]
LOG_BYTES = 64 * 1024**2
STOP_SECONDS, SWEEP_SECONDS, POLL_SECONDS = 10.0, 8.0, 0.1


@dataclass(frozen=True, slots=True)
class Component:
    """One long-running process, where its output goes, and what starts it anew should it end (None: nothing does)."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]
    revive: Callable[[], None] | None = None


@dataclass(slots=True)
class ProcessSet:
    """The components of one root; leaving the `with` block ends them and all that they started.

    A reaper of its own session waits for this process to end, in whatever way, and sweeps up after it.
    """

    root: Path
    environment: Mapping[str, str]
    stop_seconds: float = STOP_SECONDS
    components: list[Component] = field(default_factory=list)
    _reaper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "ProcessSet":
        command = [sys.executable, "-m", "headrace.processes", str(self.root)]
        self._reaper = subprocess.Popen(
            command, stdin=subprocess.PIPE, start_new_session=True, cwd=PROJECT, env=dict(os.environ)
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], *, revive: Callable[[], None] | None = None) -> Component:
        """Start a component in a session of its own, with its output in `<root>/logs/<name>.log`.

        `revive`, when given, starts its successor.
        """
        log = self.root / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=PROJECT,
                env=self._marked(),
            )
        component = Component(name, log, process, revive)
        self._announce(component)
        return component

    def adopt(
        self, name: str, process: subprocess.Popen[bytes], log: Path, revive: Callable[[], None] | None = None
    ) -> None:
        """Watch and end a process that someone else started; `revive` must adopt its successor."""
        self._announce(Component(name, log, process, revive))

    def run(self, name: str, command: Sequence[str], *, quiet: bool) -> None:
        """Run a command to its end, logged or, unless `quiet`, on the terminal; MissingInput when it fails."""
        if quiet:
            component = self.start(name, command)
            component.process.wait()
            self.components.remove(component)
            code, seen = component.process.returncode, f"see {component.log}: {last_lines(component.log, 3)}"
        else:
            code = subprocess.run(list(command), check=False, cwd=PROJECT, env=self._marked()).returncode
            seen = "its output is above"
        if code:
            raise MissingInput(f"{name} ended with exit code {code}; {seen}")

    def refuse_dead(self) -> None:
        """Revive what has ended and can be, or raise MissingInput with its exit code and log; bounds the logs."""
        for component in list(self.components):
            bound_log(component.log)
            code = component.process.poll()
            if code is not None and component.revive is not None:
                self.components.remove(component)
                component.revive()
            elif code is not None:
                raise MissingInput(
                    f"{component.name} ended by itself with exit code {code}; "
                    f"see {component.log}: {last_lines(component.log, 3)}"
                )

    def stop(self) -> None:
        """End the components one after the other, last started first, then everything that they left."""
        for component in list(reversed(self.components)):
            self.end(component)
        if self._reaper is not None:
            self._reaper.communicate()  # closes its pipe, which is what it waits for
            self._reaper = None

    def end(self, component: Component) -> None:
        """End one component, by force when it does not end in time."""
        component.process.terminate()
        for command in commands_of(component.process.pid):  # a scheduler waits for its tasks: end them too
            _signal(command, signal.SIGTERM)
        wait_until(component.process, time.monotonic() + self.stop_seconds)
        self.components.remove(component)

    def _announce(self, component: Component) -> None:
        self.components.append(component)
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.write(f"{component.process.pid}\n".encode())
            self._reaper.stdin.flush()

    def _marked(self) -> dict[str, str]:
        return {**self.environment, MARK: str(self.root)}


def wait_until(process: subprocess.Popen[bytes], deadline: float) -> None:
    """Wait for a process to end; by force once the deadline (monotonic) has passed."""
    try:
        process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def bound_log(log: Path, limit: int = LOG_BYTES) -> None:
    """Start a log anew once it has grown to `limit` bytes, and keep the one before; its writer appends and goes on."""
    if log.exists() and log.stat().st_size > limit:
        shutil.copyfile(log, log.with_suffix(".previous.log"))
        os.truncate(log, 0)


def last_lines(log: Path, count: int) -> str:
    """The end of a log on one line."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-count:]) or "(empty)"


def commands_of(pid: int) -> list[psutil.Process]:
    """Processes below `pid` that lead a session or group of their own, such as a task's command."""
    try:
        below = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [process for process in below if process.pid in _leaders_of(process)]


def members(root: Path, leaders: Collection[int]) -> list[psutil.Process]:
    """Every process that a stack of `root` started, however deep: by its mark, its session or its group.

    Airflow, gunicorn and Redis write their titles over their environment, and with it over the mark; they stay in the
    session or group that their component leads.
    """
    return [
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid() and (_leaders_of(process) & set(leaders) or _mark_of(process) == str(root))
    ]


def sweep(root: Path, leaders: Collection[int] = ()) -> int:
    """End what a stack of `root` left, politely and then by force; returns how many there were."""
    found: set[int] = set()
    deadline = time.monotonic() + SWEEP_SECONDS
    while left := members(root, leaders):
        late = time.monotonic() > deadline
        for process in left:
            if late or process.pid not in found:
                _signal(process, signal.SIGKILL if late else signal.SIGTERM)
        found |= {process.pid for process in left}
        time.sleep(POLL_SECONDS)
    return len(found)


def _leaders_of(process: psutil.Process) -> set[int]:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return {os.getsid(process.pid), os.getpgid(process.pid)} if alive else set()
    except (psutil.Error, OSError):
        return set()


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def main() -> None:
    """Read the components that the parent starts until it ends, then sweep up after it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    leaders = {int(line) for line in sys.stdin.buffer}
    sweep(Path(sys.argv[1]), leaders)


if __name__ == "__main__":
    main()
