"""A folder of model files that is replaced whole, and of which no byte is parsed before its digest was checked."""

import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from contracts.errors import CorruptData, MissingInput
from contracts.manifest import digest_file, digest_of
from models.folders import fill_folder

MANIFEST_FILE = "manifest.json"
DIGEST, FILES = "digest", "files"
ATTEMPTS = 3  # a bundle may be replaced while it is read


def write_bundle(folder: Path, write_files: Callable[[Path], None], notes: Mapping[str, Any]) -> str:
    """Let `write_files` fill a fresh folder, add the manifest with `notes`, and put it in place at once.

    Returns the digest over all files. A reader sees the old folder or the new one, never a mixture.
    """
    digest = ""

    def write_all(partial: Path) -> None:
        nonlocal digest
        write_files(partial)
        files = {path.name: digest_file(path) for path in sorted(partial.iterdir())}
        digest = digest_of(*(f"{name} {value}" for name, value in files.items()))
        manifest = {**notes, DIGEST: digest, FILES: files}
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        (partial / MANIFEST_FILE).write_text(text, encoding="utf-8")

    fill_folder(folder, write_all)
    return digest


def read_manifest(folder: Path, *, made_by: str) -> dict[str, Any]:
    """The manifest alone; MissingInput names the command that makes the bundle."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise MissingInput(f"bundle {folder} was asked for and is not there; make it with: {made_by}") from None
    except ValueError as error:
        raise CorruptData(f"{folder / MANIFEST_FILE} is no JSON ({error}); make it again: {made_by}") from error
    if not (
        isinstance(manifest, dict) and isinstance(manifest.get(FILES), dict) and isinstance(manifest.get(DIGEST), str)
    ):
        raise CorruptData(f"{folder / MANIFEST_FILE} lists no files; make the bundle again: {made_by}")
    return manifest


def read_bundle(
    folder: Path, names: Iterable[str], *, made_by: str, if_listed: Iterable[str] = ()
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the checked bytes of the named files, all of one writing; CorruptData otherwise.

    Files of `if_listed` are read only where the manifest lists them. What is returned is what was digested, so nothing
    can change between check and use.
    """
    wanted, optional = tuple(names), tuple(if_listed)
    for _ in range(ATTEMPTS):
        manifest = read_manifest(folder, made_by=made_by)
        try:
            listed = [name for name in optional if name in manifest[FILES]]
            return manifest, {name: _checked(folder, name, manifest, made_by) for name in (*wanted, *listed)}
        except CorruptData:
            if read_manifest(folder, made_by=made_by)[FILES] == manifest[FILES]:
                raise
    raise CorruptData(f"{folder} was replaced {ATTEMPTS} times while it was read; let one writer at a time make it")


def verify_bundle(folder: Path, *, made_by: str) -> dict[str, Any]:
    """The manifest, after every file's bytes were found to be the promised ones; CorruptData otherwise."""
    names = read_manifest(folder, made_by=made_by)[FILES]
    return read_bundle(folder, names, made_by=made_by)[0]


def _checked(folder: Path, name: str, manifest: Mapping[str, Any], made_by: str) -> bytes:
    path, promised = folder / name, manifest[FILES].get(name, "none, for it lists no such file")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CorruptData(f"{path} is not there and should have digest {promised}; make it again: {made_by}") from None
    found = blake2b(content, digest_size=16).hexdigest()
    if found != promised:
        raise CorruptData(f"{path} has digest {found} and should have {promised}; make it again: {made_by}")
    return content
