"""All profiles of an hour in one SQLite file that is written once and then only read, by many processes at a time.

It is mapped, not read: opening costs nothing however large it is, and each record carries its own checksum.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import BadInput, CorruptData, StoreUnavailable
from contracts.features import USER_STATS
from models.bundle import read_manifest, write_bundle
from models.profile import Profile
from models.profile_record import LAYOUT, decode_profile

MADE_BY = "python -m headrace hour"
FILE = "profiles.sqlite"
LAYOUT_NOTE, STATS_NOTE, PEOPLE_NOTE, BYTES_NOTE, RECORDS_NOTE = "layout", "user_stats", "people", "bytes", "records"
_MAPPED_BYTES = 2**40  # as much as SQLite allows
_SCHEMA = """
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
    CREATE TABLE profiles (user_id TEXT NOT NULL, record BLOB NOT NULL);
    BEGIN
"""
_INDEX = "CREATE UNIQUE INDEX by_user ON profiles (user_id)"


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """An open file of profiles; for one thread at a time."""

    connection: sqlite3.Connection

    @classmethod
    def open(cls, folder: Path) -> "ProfileFile":
        """Open an hour's profiles; MissingInput when there are none, CorruptData when they are of another layout."""
        manifest, file = profile_notes(folder), folder / FILE
        if not file.is_file() or file.stat().st_size != manifest.get(BYTES_NOTE):
            raise CorruptData(f"{file} should have {manifest.get(BYTES_NOTE)} bytes; make it again: {MADE_BY}")
        uri = f"{file.resolve().as_uri()}?mode=ro&immutable=1"  # nobody ever writes to it: no locks
        try:
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
            connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
        except sqlite3.Error as error:
            raise CorruptData(f"{file} cannot be opened ({error}); make it again: {MADE_BY}") from error
        return cls(connection)

    def read(self, user_id: str) -> Profile | None:
        """The profile of a person, None when nothing is known of them; StoreUnavailable when it cannot be read."""
        try:
            found = self.connection.execute("SELECT record FROM profiles WHERE user_id = ?", (user_id,)).fetchone()
            return decode_profile(found[0]) if found else None
        except (sqlite3.Error, CorruptData, UnicodeEncodeError) as error:
            raise StoreUnavailable(f"the profile of {user_id!r} cannot be read: {error}") from error

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()


def write_profile_file(folder: Path, records: Iterable[tuple[str, bytes]], notes: Mapping[str, Any]) -> str:
    """Write people with their encoded profiles, in ascending order of ids, and return the digest; memory is bounded.

    BadInput when a person comes twice. Equal records give equal bytes.
    """
    every_note: dict[str, Any] = {**notes, LAYOUT_NOTE: LAYOUT, STATS_NOTE: USER_STATS}

    def write_files(partial: Path) -> None:
        people, size = _write(partial / FILE, records)
        every_note.update({PEOPLE_NOTE: people, BYTES_NOTE: size})  # read when all files are written

    return write_bundle(folder, write_files, every_note)


def profile_notes(folder: Path) -> dict[str, Any]:
    """The manifest of an hour's profiles; MissingInput without one, CorruptData when they are of another layout."""
    manifest = read_manifest(folder, made_by=MADE_BY)
    if (manifest.get(LAYOUT_NOTE), manifest.get(STATS_NOTE)) != (LAYOUT, list(USER_STATS)):
        raise CorruptData(f"{folder} holds profiles of another layout; make them again: {MADE_BY}")
    return manifest


def note_profile_table(folder: Path, notes: Mapping[str, Any]) -> None:
    """Write the manifest alone, of profiles whose records lie in a database."""
    write_bundle(folder, lambda partial: None, {**notes, LAYOUT_NOTE: LAYOUT, STATS_NOTE: USER_STATS})


def _write(file: Path, records: Iterable[tuple[str, bytes]]) -> tuple[int, int]:
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.executescript(_SCHEMA)
        written = connection.executemany("INSERT INTO profiles VALUES (?, ?)", records).rowcount
        connection.execute(_INDEX)
        connection.execute("COMMIT")
    except sqlite3.IntegrityError as error:
        raise BadInput(f"profiles of an hour name somebody twice ({error}); build its interactions again") from error
    finally:
        connection.close()
    return max(written, 0), file.stat().st_size
