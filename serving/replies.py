"""An answer as a response of Flask, its source noted for the metrics."""

import time

from flask import Response, g

from serving.http_answers import answer_headers
from serving.rungs import Answer
from serving.stored_answer import age_seconds


def reply(answer: Answer, cache: str, seq: str = "") -> Response:
    """Respond 200 with the answer's bytes; `cache` is the value of Cache-Control, `seq` that of the overlay."""
    g.source = answer.source
    age = age_seconds(answer.generated_epoch, time.time())
    return Response(answer.body, headers=answer_headers(len(answer.body), age, cache, seq))
