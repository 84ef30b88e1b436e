"""The peak counts what other processes of ours hold."""

import subprocess
import sys

from headrace.memory_peak import peak_bytes

MANY = 200 * 2**20


def test_a_child_s_memory_is_counted_while_it_lives() -> None:
    before = peak_bytes()
    hold = f"held = bytearray({MANY}); print(len(held), flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        assert peak_bytes() - before >= MANY
        child.communicate("\n")
