"""Many answers at once: the very bytes of contracts.answers.encode_answer, made by Arrow for whole batches."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.answers import AnswerHead, encode_answer, recommendation_id
from contracts.lake import ITEM_IDS, SCORES

# Scores that Arrow and JSON print alike: no exponent, and a fraction within the six digits that are kept.
LEAST_PLAIN, LARGEST_PLAIN = 1e-4, 1e5
NEAR_INTEGER, NEAR_TIE = 1e-5, 1e-6
KEPT_DIGITS = 6
ESCAPED = r'[\x00-\x1f"\\]'
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
    """Encodes the lists of one kind; a list that Arrow would print otherwise goes to encode_answer itself."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        parts = (("source", voice.source), ("reason", voice.reason), ("version", voice.version))
        fixed = "".join(f',"{name}":{_json(value)}' for name, value in (*parts, ("generated_at", voice.generated_at)))
        self._closing = f']{fixed},"recommendation_id":'

    def encode(self, subjects: Sequence[str], rows: pa.RecordBatch) -> Iterator[bytes]:
        """Yield the answer of each row's ITEM_IDS and SCORES, in order; `subjects` is parallel to the rows."""
        lengths = pc.fill_null(pc.list_value_length(rows.column(ITEM_IDS)), 0).to_numpy(zero_copy_only=False)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        items, scores = rows.column(ITEM_IDS).flatten(), rows.column(SCORES).flatten().cast(pa.float64())
        values = scores.to_numpy(zero_copy_only=False)
        rounded, plain = round_digits(values)
        is_slow = lengths == 0
        is_slow[np.repeat(np.arange(len(lengths)), lengths)[~plain]] = True
        fast = self._join(subjects, _listed(items, rounded, offsets)).to_pylist()
        for row, (subject, answer) in enumerate(zip(subjects, fast, strict=True)):
            span = slice(offsets[row], offsets[row + 1])
            if is_slow[row]:
                answer = encode_answer(self._voice.head(subject), items[span].to_pylist(), values[span].tolist())  # noqa: PLW2901
            yield answer

    def _join(self, subjects: Sequence[str], listed: pa.Array) -> pa.Array:
        """The whole answers, binary; `listed` is the JSON between the brackets of `items`."""
        names = pa.array([recommendation_id(self._voice.version, subject) for subject in subjects], pa.string())
        quoted = _quoted(pa.array(subjects, pa.string()))
        parts = ('{"items":[', listed, self._closing, _quoted(names), ',"subject":', quoted, "}", "")
        return pc.binary_join_element_wise(*parts).cast(pa.binary())


def _listed(items: pa.Array, scores: NDArray[np.float64], offsets: NDArray[np.int32]) -> pa.Array:
    """One string a list: its items and scores as JSON objects with commas between."""
    coded = items.dictionary_encode()
    openings = pc.binary_join_element_wise('{"item_id":', _quoted(coded.dictionary), ',"score":', "")
    printed = pa.array(scores).cast(pa.string())
    objects = pc.binary_join_element_wise(openings.take(coded.indices), printed, "}", "")
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), objects), ",")


def _quoted(texts: pa.Array) -> pa.Array:
    """Each text as a JSON string; hardly any needs an escape, and then quotes are all there is to it."""
    if pc.any(pc.match_substring_regex(texts, ESCAPED)).as_py():
        return pa.array([_json(text) for text in texts.to_pylist()], pa.string())
    return pc.binary_join_element_wise('"', texts, '"', "")


def round_digits(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Round to six significant digits, and tell for which scores that is sure to print as `%.6g` does.

    A whole number over a power of ten is the double nearest to that decimal, and its shortest print is the decimal.
    """
    size = np.abs(scores)
    plain = (size >= LEAST_PLAIN) & (size < LARGEST_PLAIN) & (np.abs(scores - np.rint(scores)) > NEAR_INTEGER * size)
    safe = np.where(plain, scores, 1.5)
    scale = 10.0 ** (KEPT_DIGITS - 1 - np.floor(np.log10(np.abs(safe))))
    digits = safe * scale
    whole = np.rint(digits)
    has_six = (np.abs(whole) >= 10 ** (KEPT_DIGITS - 1)) & (np.abs(whole) <= 10**KEPT_DIGITS)
    is_tie = np.abs(np.abs(digits - np.trunc(digits)) - 0.5) < NEAR_TIE
    return whole / scale, plain & has_six & ~is_tie
