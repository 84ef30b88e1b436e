"""What people just did counts again on a server of lists that came back empty."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from contracts.entity_contract import Item, Tombstone, record_of_item, record_of_tombstone
from contracts.overlay import Overlay, decode_overlay
from contracts.redis_layout import DELISTED, overlay_key
from contracts.settings import Settings
from headrace.embedded_redis import EmbeddedRedis
from ingest.hot_restore import restore
from ingest.redis_store import open_store
from tests.archive_and_die import archive
from tests.ingest.archived import append, event

NOW = datetime.now(UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def settings(tmp_path: Path, redis_server: EmbeddedRedis) -> Settings:
    """Lists and stream on one empty server."""
    return Settings(root=tmp_path, redis_url=redis_server.url, stream_url=redis_server.url)


def restored(settings: Settings) -> int:
    store = open_store(settings, on_failure=lambda kind: None)
    try:
        return restore(settings, store, NOW)
    finally:
        store.close()


def overlay_of(settings: Settings, user_id: str) -> Overlay | None:
    with redis.Redis.from_url(settings.redis_url) as client:
        raw = client.get(overlay_key(user_id))
    return decode_overlay(raw) if isinstance(raw, bytes) else None


def test_sessions_purchases_and_dismissals_count_again_and_only_while_they_last(settings: Settings) -> None:
    append(
        settings,
        event(1, at=NOW - timedelta(minutes=5), user_id="ann", item_id="tea"),
        event(2, at=NOW - 5 * HOUR, user_id="ann", item_id="hat", event_type="purchase"),
        event(3, at=NOW - 5 * DAY, user_id="ben", item_id="pin", event_type="not_interested"),
        event(4, at=NOW - 2 * HOUR, user_id="cat", item_id="tea"),
        event(5, at=NOW - 2 * DAY, user_id="dan", item_id="hat", event_type="purchase"),
    )
    archive(settings)
    assert restored(settings) == 3
    ann, ben = overlay_of(settings, "ann"), overlay_of(settings, "ben")
    assert ann is not None and ben is not None
    assert [one.item_id for one in ann.events] == ["tea"] and set(ann.gone) == {"hat"} and set(ben.gone) == {"pin"}
    assert overlay_of(settings, "cat") is None and overlay_of(settings, "dan") is None


def test_a_second_time_changes_nothing(settings: Settings) -> None:
    append(settings, event(1, at=NOW - HOUR, user_id="ann", item_id="hat", event_type="purchase"))
    archive(settings)
    restored(settings)
    before = overlay_of(settings, "ann")
    restored(settings)
    assert overlay_of(settings, "ann") == before


def test_delisted_items_and_forgotten_people_stay_so(settings: Settings) -> None:
    forgotten_at = int(NOW.timestamp() * 1_000_000)
    append(
        settings,
        record_of_item(Item("hat", attributes={"available": "false"})),
        record_of_item(Item("tea")),
        event(1, at=NOW - HOUR, user_id="eve", item_id="hat", event_type="purchase"),
        record_of_tombstone(Tombstone("eve", forgotten_at)),
    )
    archive(settings)
    restored(settings)
    with redis.Redis.from_url(settings.redis_url) as client:
        assert client.smembers(DELISTED) == {b"hat"}
    eve = overlay_of(settings, "eve")
    assert eve is not None and eve.forgotten_ms == forgotten_at // 1_000 and not eve.gone
