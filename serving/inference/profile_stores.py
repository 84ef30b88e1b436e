"""Where an hour's profiles are read: in a file, or in PostgreSQL where its manifest says so."""

from pathlib import Path

from contracts.errors import BadInput
from contracts.profile_table import TABLE_NOTE
from contracts.settings import Settings
from models.profile import Profiles
from models.profile_file import ProfileFile, profile_notes
from serving.inference.profile_table import ProfileTable


def open_profiles(settings: Settings, folder: Path) -> Profiles:
    """Open an hour's profiles; MissingInput or CorruptData when there are none that can be read."""
    if TABLE_NOTE not in profile_notes(folder):
        return ProfileFile.open(folder)
    if not settings.profiles_url:
        raise BadInput(f"the profiles of {folder} lie in PostgreSQL; set HEADRACE_PROFILES_URL to that server")
    seconds = settings.redis_timeout_ms / 1_000  # a look-up has no more time for one store than for the other
    return ProfileTable.open(settings.profiles_url, folder.name, read_seconds=seconds)
