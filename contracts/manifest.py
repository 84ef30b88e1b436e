"""The note that every written partition and bundle carries: rows, digests, seconds.

A folder without its manifest is an unfinished write. Spark and Arrow skip names that begin with "_".
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from contracts.errors import CorruptData, MissingInput

FILE_NAME = "_manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a job wrote, from what.

    `digest` covers content, not file names or order of rows; `inputs` maps a name to the digest read;
    `figures` are whatever numbers and words the job wants seen in the task log.
    """

    job: str
    rows: int
    digest: str
    inputs: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    figures: dict[str, float | int | str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write into `folder` atomically; the last step of a job."""
        target = folder / FILE_NAME
        partial = target.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")
        partial.replace(target)

    @classmethod
    def read(cls, folder: Path, *, made_by: str) -> "Manifest":
        """Read the manifest of `folder`; `made_by` is the command that the error names when it is absent."""
        try:
            return cls(**json.loads((folder / FILE_NAME).read_text()))
        except FileNotFoundError:
            raise MissingInput(f"{folder} was asked for and is not finished; make it with: {made_by}") from None
        except (ValueError, TypeError) as error:
            raise CorruptData(f"{folder / FILE_NAME} is no manifest ({error}); rerun: {made_by}") from error


def digest_of(*parts: str) -> str:
    """One digest of several, order kept."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def digest_file(path: Path) -> str:
    """Digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
