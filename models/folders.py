"""A finished folder takes the place of another in one step: a reader finds the old one or the new one, always one."""

import ctypes
import errno
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger(__name__)
PARTIAL, OLD = "partial", "old"  # leftovers of a killed writer; hidden, so that no reader takes them for data
_AT_CURRENT_FOLDER = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2), Linux 3.15
_NOT_OFFERED = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)


def fill_folder(folder: Path, write_files: Callable[[Path], None]) -> None:
    """Let `write_files` fill a hidden folder beside `folder`, then put it in its place at once."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.{PARTIAL}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        write_files(partial)
        replace_folder(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def replace_folder(fresh: Path, folder: Path) -> None:
    """Put `fresh` where `folder` is, and remove what was there."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.{OLD}")
    shutil.rmtree(old, ignore_errors=True)
    if not folder.exists():
        fresh.rename(folder)
    elif _exchange(fresh, folder):
        fresh.rename(old)
    else:
        folder.rename(old)
        fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders by one system call; False where the kernel or the file system does not offer it."""
    swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if swap is None:
        return False
    if swap(_AT_CURRENT_FOLDER, os.fsencode(one), _AT_CURRENT_FOLDER, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code not in _NOT_OFFERED:
        raise OSError(code, os.strerror(code), str(other))
    logger.debug("event=no_exchange folder=%s error=%s", other, os.strerror(code))
    return False
