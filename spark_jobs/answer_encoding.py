"""Many answers at once: the very bytes of contracts.answers.encode_answer, at a fraction of its time."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.answers import AnswerHead, encode_answer, recommendation_id
from contracts.lake import ITEM_IDS, SCORES

LARGEST_PLAIN_SCORE = 1e5  # from here on six significant digits leave no fraction
NEAR_INTEGER = 1e-5
_json = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps would build one a call


@dataclass(frozen=True, slots=True)
class Voice:
    """What all answers of one kind and version say alike."""

    source: str
    reason: str
    version: str
    generated_at: str

    def head(self, subject: str) -> AnswerHead:
        """The head of one answer."""
        return AnswerHead(subject, self.source, self.reason, self.version, self.generated_at)


class ListEncoder:
    """Encodes the lists of one kind; item ids are turned into JSON once and remembered."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._openings: dict[str, str] = {}
        parts = (("source", voice.source), ("reason", voice.reason), ("version", voice.version))
        fixed = "".join(f',"{name}":{_json(value)}' for name, value in (*parts, ("generated_at", voice.generated_at)))
        self._closing = f"]{fixed},"

    def encode(self, subjects: Sequence[str], rows: pa.RecordBatch) -> Iterator[bytes]:
        """Yield the answer of each row's ITEM_IDS and SCORES, in order; `subjects` is parallel to the rows."""
        lengths = pc.fill_null(pc.list_value_length(rows.column(ITEM_IDS)), 0).to_pylist()
        items = rows.column(ITEM_IDS).flatten()
        scores = rows.column(SCORES).flatten().cast(pa.float64())
        openings, plain = self._opening_of(items), _are_plain(scores.to_numpy(zero_copy_only=False))
        values, begin = scores.to_numpy(zero_copy_only=False).tolist(), 0
        for subject, length in zip(subjects, lengths, strict=True):
            span = slice(begin, begin + length)
            if length and plain[span].all():
                yield self._encode_plain(subject, openings[span], values[span])
            else:
                yield encode_answer(self._voice.head(subject), items[span].to_pylist(), values[span])
            begin += length

    def _encode_plain(self, subject: str, openings: Sequence[str], scores: Sequence[float]) -> bytes:
        filling: list[object] = [None] * (2 * len(scores))
        filling[::2], filling[1::2] = openings, scores
        listed = _template(len(scores)) % tuple(filling)
        name = recommendation_id(self._voice.version, subject)
        return (
            f'{{"items":[{listed}{self._closing}"recommendation_id":{_json(name)},"subject":{_json(subject)}}}'.encode()
        )

    def _opening_of(self, items: pa.Array) -> list[str]:
        if not len(items):
            return []
        coded = items.dictionary_encode()
        known = self._openings
        for item in coded.dictionary.to_pylist():
            if item not in known:
                known[item] = f'{{"item_id":{_json(item)},"score":'
        openings = np.array([known[item] for item in coded.dictionary.to_pylist()], object)
        return list(openings[coded.indices.to_numpy()])


def _are_plain(scores: np.ndarray) -> np.ndarray:
    """Whether `%.6g` prints a score as JSON does: it drops the fraction of whole numbers, JSON does not."""
    size = np.abs(scores)
    with np.errstate(invalid="ignore"):
        return (size < LARGEST_PLAIN_SCORE) & (np.abs(scores - np.rint(scores)) > NEAR_INTEGER * size)


@cache
def _template(length: int) -> str:
    return ",".join(["%s%.6g}"] * length)
