"""Profiles of an hour in PostgreSQL, read by a deadline: no read waits for a server that is slow, frozen or away.

The connection is made beside the reads; until it is there, a read fails at once.
"""

import logging
import select
import threading
import time
from typing import TYPE_CHECKING

from contracts.errors import CorruptData, MissingInput, StoreUnavailable
from contracts.profile_table import SCHEMA, table_of
from models.profile import Profile
from models.profile_record import decode_profile

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.pq.abc import PGconn, PGresult

logger = logging.getLogger(__name__)
CONNECT_SECONDS = 3
RETRY_SECONDS = 1.0
STATEMENT = b"profile"


class ProfileTable:
    """A reader of one hour's table; for one thread."""

    def __init__(self, url: str, interval_key: str, *, read_seconds: float) -> None:
        self._url, self._read_seconds = url, read_seconds
        self._query = f'SELECT record FROM {SCHEMA}."{table_of(interval_key)}" WHERE user_id = $1'.encode()
        self._connection: Connection | None = None
        self._connecting = threading.Lock()
        self._next_try = 0.0

    @classmethod
    def open(cls, url: str, interval_key: str, *, read_seconds: float) -> "ProfileTable":
        """Connect; where that fails it is tried again beside the reads, and until then nobody is known."""
        table = cls(url, interval_key, read_seconds=read_seconds)
        try:
            table._connection = table._connect()
        except StoreUnavailable as error:
            logger.warning("profiles_away: %s", error)
        return table

    def read(self, user_id: str) -> Profile | None:
        """The profile of a person, None when nothing is known of them; StoreUnavailable when it cannot be read."""
        connection = self._connection
        if "\x00" in user_id:  # nobody there can have such an id, and the protocol would cut it short
            return None
        if connection is None:
            self._connect_beside()
            raise StoreUnavailable("PostgreSQL of the profiles is away")
        try:
            result = self._ask(connection.pgconn, user_id.encode(), time.monotonic() + self._read_seconds)
            record = result.get_value(0, 0) if result.ntuples else None
            return None if record is None else decode_profile(record)
        except (CorruptData, UnicodeEncodeError) as error:
            raise StoreUnavailable(f"the profile of {user_id!r} cannot be read: {error}") from error
        except StoreUnavailable:
            self.close()  # an answer that comes late would be taken for another's
            raise

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(self, server: "PGconn", user_id: bytes, deadline: float) -> "PGresult":
        from psycopg import Error
        from psycopg.pq import ExecStatus, Format

        try:
            server.send_query_prepared(STATEMENT, [user_id], result_format=Format.BINARY)
            server.flush()
            while server.is_busy():
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([server.socket], [], [], left)[0]:
                    raise StoreUnavailable(f"PostgreSQL gave no profile within {self._read_seconds} s")
                server.consume_input()
            result = server.get_result()
            while server.get_result() is not None:
                pass
        except (Error, OSError, ValueError) as error:
            raise StoreUnavailable(f"PostgreSQL of the profiles: {error}") from error
        if result is None or result.status != ExecStatus.TUPLES_OK:
            raise StoreUnavailable(f"PostgreSQL of the profiles: {result.error_message if result else b'no result'!r}")
        return result

    def _connect_beside(self) -> None:
        if time.monotonic() >= self._next_try and self._connecting.acquire(blocking=False):
            threading.Thread(target=self._reconnect, daemon=True, name="profiles-connect").start()

    def _reconnect(self) -> None:
        try:
            self._connection = self._connect()
        except StoreUnavailable:
            self._next_try = time.monotonic() + RETRY_SECONDS
        finally:
            self._connecting.release()

    def _connect(self) -> "Connection":
        try:
            import psycopg
            from psycopg.pq import ExecStatus
        except ImportError:
            raise MissingInput("profiles in PostgreSQL need psycopg: pip install 'psycopg[binary]'") from None
        try:
            connection = psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_SECONDS)
        except psycopg.Error as error:
            raise StoreUnavailable(f"PostgreSQL of HEADRACE_PROFILES_URL: {error}") from error
        prepared = connection.pgconn.prepare(STATEMENT, self._query)
        if prepared.status != ExecStatus.COMMAND_OK:
            connection.close()
            raise StoreUnavailable(f"PostgreSQL of the profiles: {prepared.error_message.decode()}")
        return connection
