"""What a sender is told: a verdict for each thing that was sent, in order, and whether the next look-up sees it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from flask import Response

from serving.http_answers import JSON_TYPE

ACCEPTED, DUPLICATE, REJECTED = "accepted", "duplicate", "rejected"
Result = Mapping[str, Any]


def receipt(results: Sequence[Result], *, visible: bool, status: int = 202, **more: Any) -> Response:
    """A response that counts the results and shows each."""
    counts = Counter(result["status"] for result in results)
    body = {
        **more,
        "accepted": counts[ACCEPTED],
        "duplicates": counts[DUPLICATE],
        "rejected": counts[REJECTED],
        "visible": visible,
        "results": results,
    }
    return Response(orjson.dumps(body), status, content_type=JSON_TYPE)
