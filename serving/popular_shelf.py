"""Popular lists kept in the process and on disk, so that there is always something to show.

A change of version refills the shelf in a thread of its own; until then the former lists serve.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import CorruptData, HeadraceError, MissingInput
from contracts.lake import OVERALL, TRENDING
from contracts.redis_layout import popular_key
from serving.list_store import ListStore, Pin
from serving.stored_answer import StoredAnswer

logger = logging.getLogger(__name__)

MAX_LISTS = 512
LISTS_A_CALL = 16
REFILL_SECONDS = 1.0  # deadline of a call that fills the shelf, and pause between two attempts
FILE_NAME = "popular.json"
Name = tuple[str, str]
OVERALL_NAME: Name = (OVERALL, "")
TRENDING_NAME: Name = (TRENDING, "")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Lists of one version by scope and key."""

    version: str
    lists: dict[Name, StoredAnswer]


class PopularShelf:
    """The popular lists that this process knows; reads pass through `store`."""

    def __init__(self, store: ListStore, folder: Path) -> None:
        self._store = store
        self._file = folder / FILE_NAME
        self._shelf = _read(self._file)
        self._lock = threading.Lock()
        self._tried_at = self._looked_at = float("-inf")

    @property
    def is_filled(self) -> bool:
        """Whether this process holds any list."""
        return bool(self._shelf.lists)

    def find(self, pin: Pin, name: Name, deadline: float) -> StoredAnswer | None:
        """The list of that scope and key, None when there is none; StoreUnavailable, CorruptData."""
        shelf = self._shelf
        if shelf.version != pin.version:
            self.refill_later(pin)
        if name in shelf.lists:
            return shelf.lists[name]
        raw = self._store.values([popular_key(pin.version, *name)], deadline)[0]
        if raw is None:
            return None
        answer = StoredAnswer.parse(raw)
        if shelf.version == pin.version and len(shelf.lists) < MAX_LISTS:
            shelf.lists[name] = answer
        return answer

    def last_known(self, name: Name) -> StoredAnswer | None:
        """What this process knows without asking anybody: that list, else the overall one."""
        if not self.is_filled and time.monotonic() - self._looked_at > REFILL_SECONDS:
            self._looked_at = time.monotonic()
            self._shelf = _read(self._file)  # another process may have been luckier
        lists = self._shelf.lists
        return lists.get(name) or lists.get(OVERALL_NAME)

    def refill_later(self, pin: Pin) -> None:
        """Fill the shelf from another version, in a thread, one at a time and not without pause."""
        if self._lock.locked() or time.monotonic() - self._tried_at < REFILL_SECONDS:
            return
        self._tried_at = time.monotonic()
        threading.Thread(target=self._refill_quietly, args=(pin,), name="headrace-shelf", daemon=True).start()

    def refill(self, pin: Pin) -> None:
        """Read every list known so far under this version and keep it on disk; HeadraceError keeps the former ones."""
        with self._lock:
            if self._shelf.version == pin.version:
                return
            lists = self._fetch(pin, sorted({OVERALL_NAME, *self._shelf.lists.copy()}))
            if OVERALL_NAME not in lists:
                raise MissingInput(f"version {pin.version} has no popular list overall; publish the hour again")
            self._shelf = Shelf(pin.version, lists)
            _write(self._shelf, self._file)
        logger.info("popular_refilled version=%s lists=%d", pin.version, len(lists))

    def _refill_quietly(self, pin: Pin) -> None:
        try:
            self.refill(pin)
        except HeadraceError as error:
            logger.warning("popular_not_refilled version=%s: %s", pin.version, error)
        finally:
            self._store.close_mine()

    def _fetch(self, pin: Pin, names: list[Name]) -> dict[Name, StoredAnswer]:
        lists = {}
        for start in range(0, len(names), LISTS_A_CALL):
            some = names[start : start + LISTS_A_CALL]
            keys = [popular_key(pin.version, *name) for name in some]
            values = self._store.values(keys, time.monotonic() + REFILL_SECONDS)
            lists.update({name: StoredAnswer.parse(raw) for name, raw in zip(some, values, strict=True) if raw})
        return lists


def _read(file: Path) -> Shelf:
    try:
        document = json.loads(file.read_text())
        lists = {(row["scope"], row["key"]): StoredAnswer.parse(row["answer"].encode()) for row in document["lists"]}
        return Shelf(document["version"], lists)
    except FileNotFoundError:
        return Shelf("", {})
    except (OSError, ValueError, KeyError, TypeError, CorruptData) as error:
        logger.warning("popular_unreadable file=%s: %r", file, error)
        return Shelf("", {})


def _write(shelf: Shelf, file: Path) -> None:
    document = {"version": shelf.version, "lists": list(_rows(shelf))}
    partial = file.with_suffix(f".{os.getpid()}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(document, ensure_ascii=False))
        partial.replace(file)
    except OSError as error:
        logger.warning("popular_unwritten file=%s: %s", file, error)


def _rows(shelf: Shelf) -> Iterable[dict[str, str]]:
    for (scope, key), answer in list(shelf.lists.items()):  # a request may add one meanwhile
        yield {"scope": scope, "key": key, "answer": answer.raw.decode()}
