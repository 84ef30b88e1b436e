"""A PostgreSQL server of Debian's, in a folder of its own, reached over a Unix socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

ACCOUNT = "postgres"  # the server refuses to run as root


@dataclass(slots=True)
class PostgresServer:
    """A server that can be stopped and started again."""

    folder: Path
    programs: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"postgresql:///postgres?host={self.folder}&user={ACCOUNT}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = ["-D", str(self.folder / "data"), "-k", str(self.folder), "-c", "listen_addresses="]
        self.process = self._run("postgres", *options)
        until = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                assert self.process.poll() is None and time.monotonic() < until, "PostgreSQL did not start"
                time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, with everybody's connections."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=30)
            self.process = None

    def init(self) -> None:
        """Make an empty cluster of databases."""
        made = self._run("initdb", "-D", str(self.folder / "data"), "-A", "trust", "-U", ACCOUNT, "--no-sync")
        assert made.wait(timeout=120) == 0

    def _run(self, program: str, *options: str) -> "subprocess.Popen[bytes]":
        account = pwd.getpwnam(ACCOUNT)
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        words = [str(self.programs / program), *options]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(words, stdout=quiet, stderr=quiet, cwd=self.folder, **user)


@contextmanager
def run_postgres() -> Iterator[PostgresServer]:
    """An empty server until the block ends."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    with tempfile.TemporaryDirectory(prefix="hrpg") as name:
        server = PostgresServer(Path(name), programs)
        if os.geteuid() == 0:
            shutil.chown(name, ACCOUNT, ACCOUNT)
        server.init()
        server.start()
        try:
            yield server
        finally:
            server.stop()
