"""No body, however strange, is a failure of the server: it is taken, or refused with a reason."""

import gzip
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from tests.serving.senders import Sender, event

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=30)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=20,
)
FIELDS = "event_id event_type user_id item_id occurred_at sent_at context properties item_ids value"
ASKED = "session context exclude filter limit anonymous_id placement field equals and or not lt"
OTHERS = "items users events batch attributes available price type event messageId userId anonymousId traits products"
NAMES = st.sampled_from(f"{FIELDS} {ASKED} {OTHERS} timestamp".split())
DOCUMENTS = JSON | st.dictionaries(NAMES, JSON | st.lists(st.dictionaries(NAMES, JSON), max_size=3), max_size=6)
ASKS = ("/v1/recommendations", "/v1/rank")
SEGMENTS = ("/v1/batch", "/v1/track", "/v1/identify", "/v1/page", "/v1/alias")
POSTS = ("/v1/events", "/v1/items", "/v1/users", *SEGMENTS, *ASKS)
TAKEN_OR_REFUSED = {200, 202, 400, 413}
fast = profile(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("path", POSTS)
@given(document=DOCUMENTS)
@fast
def test_any_document(path: str, document: Any, office: Sender) -> None:
    for body in (document, [document], {"events": [document]}, {"items": [document]}, {"batch": [document]}):
        assert office.post_bytes(path, orjson.dumps(body)).status_code in TAKEN_OR_REFUSED


@pytest.mark.parametrize("path", POSTS)
@given(body=st.binary(max_size=200), is_packed=st.booleans())
@fast
def test_any_bytes(path: str, body: bytes, is_packed: bool, office: Sender) -> None:
    sent = gzip.compress(body) if is_packed else body
    assert office.post_bytes(path, sent, Content_Encoding="gzip").status_code in TAKEN_OR_REFUSED
    assert office.post_bytes(path, sent).status_code in TAKEN_OR_REFUSED


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'[{"event_id":"\xff\xfe"}]',
        b'[{"event_id":"\\ud800"}]',
        b'{"events":[' + b"1," * 100_000 + b"1]}",
        b"[1e999]",
        b'[{"value":123456789012345678901234567890}]',
        b'\xef\xbb\xbf[]',
        b"\x00" * 1_000,
        b"null",
        b'"',
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", POSTS)
def test_known_traps(path: str, body: bytes, office: Sender) -> None:
    assert office.post_bytes(path, body).status_code in TAKEN_OR_REFUSED


def test_good_events_survive_between_strange_ones(office: Sender) -> None:
    good = [event(), event("click", "bread")]
    body = b"[%s,%s,%s,%s]" % (orjson.dumps(good[0]), b'{"event_id":\xff}', b'"\\ud800"', orjson.dumps(good[1]))
    answer = office.post_bytes("/v1/events", body).get_json()
    assert (answer["accepted"], answer["rejected"]) == (2, 2)
