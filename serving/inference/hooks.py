"""Faults on request, for tests: only where INFERENCE_TEST_HOOKS is set, which nothing but a test does.

A person named "hook:hang", "hook:crash", "hook:memory" or "hook:delay:<ms>" makes the worker do so.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping

VARIABLE = "INFERENCE_TEST_HOOKS"
HANG, CRASH, MEMORY, DELAY = "hook:hang", "hook:crash", "hook:memory", "hook:delay:"
FAR_TOO_MUCH = 6 * 1024**3  # bytes; above the bound that a test sets, and a machine would give it
Hook = Callable[[str], None]


def hook_from(environ: Mapping[str, str]) -> Hook:
    """What is called with the person of each question."""
    return _fault if environ.get(VARIABLE) else _nothing


def _nothing(_user_id: str) -> None:
    pass


def _fault(user_id: str) -> None:
    if user_id.startswith(HANG):
        while True:
            pass
    elif user_id.startswith(CRASH):
        os.kill(os.getpid(), signal.SIGSEGV)
    elif user_id.startswith(MEMORY):
        bytearray(FAR_TOO_MUCH)
    elif user_id.startswith(DELAY):
        time.sleep(int(user_id.split(":")[2]) / 1_000)
