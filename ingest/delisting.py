"""Delisted items: taken out of every answer at once, for all processes that answer."""

import os
from collections.abc import Collection

from contracts.redis_layout import DELISTED, DELISTED_MARK
from ingest.hot_state import read_script
from ingest.redis_client import Sends
from ingest.redis_commands import Command

DELIST = read_script("delist.lua")
MARK_BYTES = 8


def delist(store: Sends, gone: Collection[str], back: Collection[str], deadline: float) -> None:
    """Take items out of every answer and let others back in, in one step; RedisFailure."""
    mark = os.urandom(MARK_BYTES).hex()
    parts = (mark, str(len(gone)), *gone, *back)
    store.send([Command((DELISTED, DELISTED_MARK), tuple(part.encode() for part in parts), DELIST)], deadline)
