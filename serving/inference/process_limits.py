"""What a worker process lays upon itself: it ends with its parent, and its memory is bounded."""

import ctypes
import os
import resource
import signal

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(parent_pid: int) -> None:
    """Be killed when the parent is gone, even in the midst of a computation; at once when it is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)


def bound_memory(most_bytes: int) -> None:
    """Let what asks for more fail; files that are only mapped for reading do not count."""
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))


def leave_signals_to_parent() -> None:
    """Go on when a whole group is told to end: the parent drains first, then closes our stream."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
