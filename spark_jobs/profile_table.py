"""Profiles written to PostgreSQL: an hour's table is filled under another name and then takes its place at once."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from contracts.errors import MissingInput, StoreUnavailable
from contracts.profile_table import SCHEMA, interval_of, table_of

if TYPE_CHECKING:
    from psycopg import Cursor

CONNECT_SECONDS = 10
_TABLES = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = %s"


def write_profile_table(url: str, interval_key: str, records: Iterable[tuple[str, bytes]]) -> tuple[int, str]:
    """Replace an hour's table by these people with their encoded profiles; returns how many, and the digest of all.

    StoreUnavailable when the server fails; the table of before is then as it was.
    """
    from psycopg.sql import SQL, Identifier

    name = table_of(interval_key)
    table, fresh = Identifier(SCHEMA, name), Identifier(SCHEMA, f"{name}_new")
    digest, people = hashlib.blake2b(digest_size=16), 0
    with _transaction(url) as cursor:
        cursor.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(SCHEMA)))
        cursor.execute(SQL("DROP TABLE IF EXISTS {}").format(fresh))
        cursor.execute(SQL('CREATE TABLE {} (user_id text COLLATE "C", record bytea NOT NULL)').format(fresh))
        with cursor.copy(SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(fresh)) as copy:
            copy.set_types(["text", "bytea"])
            for user, record in records:
                copy.write_row((user, record))
                digest.update(f"{len(user)} {user} {len(record)} ".encode() + record)
                people += 1
        cursor.execute(SQL("ALTER TABLE {} ADD PRIMARY KEY (user_id)").format(fresh))
        cursor.execute(SQL("DROP TABLE IF EXISTS {}").format(table))
        cursor.execute(SQL("ALTER TABLE {} RENAME TO {}").format(fresh, Identifier(name)))
    return people, digest.hexdigest()


def drop_profile_tables(url: str, is_past: Callable[[str], bool]) -> list[str]:
    """Drop the tables of all hours that are past, by their keys, and return the tables' names."""
    from psycopg.sql import SQL, Identifier

    with _transaction(url) as cursor:
        found = [str(name) for (name,) in cursor.execute(_TABLES, (SCHEMA,)).fetchall()]
        past = sorted(name for name in found if interval_of(name) and is_past(interval_of(name)))
        for name in past:
            cursor.execute(SQL("DROP TABLE {}").format(Identifier(SCHEMA, name)))
    return past


@contextmanager
def _transaction(url: str) -> Iterator["Cursor"]:
    try:
        import psycopg
    except ImportError:
        raise MissingInput(
            "HEADRACE_PROFILES_URL needs psycopg; install it with: pip install 'psycopg[binary]'"
        ) from None
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection, connection.cursor() as cursor:
            yield cursor
    except psycopg.Error as error:
        raise StoreUnavailable(f"PostgreSQL of HEADRACE_PROFILES_URL: {error}") from error
