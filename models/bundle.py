"""A folder of model files that is written whole, and whose digests are checked before anything is parsed."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from contracts.errors import CorruptData, MissingInput
from contracts.manifest import digest_file, digest_of

MANIFEST_FILE = "manifest.json"
DIGEST, FILES, FORMAT = "digest", "files", "format"


def write_bundle(folder: Path, write_files: Callable[[Path], None], notes: Mapping[str, Any]) -> str:
    """Let `write_files` fill a fresh folder, add the manifest with `notes`, and put it in place at once.

    Returns the digest over all files. A reader sees the old folder or the new one, never a mixture.
    """
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write_files(partial)
    files = {path.name: digest_file(path) for path in sorted(partial.iterdir())}
    digest = digest_of(*(f"{name} {value}" for name, value in files.items()))
    manifest = {**notes, DIGEST: digest, FILES: files}
    (partial / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return digest


def read_manifest(folder: Path, *, made_by: str) -> dict[str, Any]:
    """The manifest alone; MissingInput names the command that makes the bundle."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text())
    except FileNotFoundError:
        raise MissingInput(f"bundle {folder} was asked for and is not there; make it with: {made_by}") from None
    except ValueError as error:
        raise CorruptData(f"{folder / MANIFEST_FILE} is no JSON ({error}); make it again: {made_by}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get(FILES), dict):
        raise CorruptData(f"{folder / MANIFEST_FILE} lists no files; make the bundle again: {made_by}")
    return manifest


def verify_bundle(folder: Path, *, made_by: str) -> dict[str, Any]:
    """The manifest, after every file's bytes were found to be the promised ones; CorruptData otherwise."""
    manifest = read_manifest(folder, made_by=made_by)
    for name, promised in manifest[FILES].items():
        path = folder / name
        found = digest_file(path) if path.is_file() else "nothing"
        if found != promised:
            raise CorruptData(f"{path} should have digest {promised} and has {found}; make it again: {made_by}")
    return manifest
