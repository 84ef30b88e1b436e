"""The fast encoder and contracts.answers give the same bytes, whatever the ids and the scores."""

import math

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.answers import encode_answer
from contracts.lake import ITEM_IDS, SCORES
from spark_jobs.answer_encoding import ListEncoder, Voice

VOICE = Voice("head", 'say "why"', "2026-01-31T07.12", "2026-01-31T08:00:00Z")
SCHEMA = pa.schema([(ITEM_IDS, pa.list_(pa.string())), (SCORES, pa.list_(pa.float32()))])
ids = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scores = st.one_of(
    st.floats(width=32, allow_infinity=False, allow_nan=False),
    st.integers(-2_000_000, 2_000_000).map(lambda whole: whole / 8),
    st.integers(-999_999, 999_999).map(lambda whole: whole / 100_000),
).map(lambda score: float(pa.scalar(score, pa.float32()).as_py()))
rows = st.lists(st.tuples(ids, st.lists(st.tuples(ids, scores), max_size=6)), max_size=6)


@settings(deadline=None)
@given(rows)
def test_the_bytes_are_those_of_the_contract(lists: list[tuple[str, list[tuple[str, float]]]]) -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            ITEM_IDS: [[item for item, _ in pairs] for _, pairs in lists],
            SCORES: [[score for _, score in pairs] for _, pairs in lists],
        },
        schema=SCHEMA,
    )
    subjects = [subject for subject, _ in lists]
    expected = [
        encode_answer(VOICE.head(subject), [item for item, _ in pairs], [score for _, score in pairs])
        for subject, pairs in lists
    ]
    assert list(ListEncoder(VOICE).encode(subjects, batch)) == expected


def test_a_list_in_the_middle_of_a_batch_finds_its_own_items() -> None:
    data = {ITEM_IDS: [["a"], ["b", "c"], ["d"]], SCORES: [[0.5], [1.5, 0.25], [math.pi]]}
    batch = pa.RecordBatch.from_pydict(data, schema=SCHEMA).slice(1, 1)
    expected = encode_answer(VOICE.head("bob"), ["b", "c"], [1.5, 0.25])
    assert list(ListEncoder(VOICE).encode(["bob"], batch)) == [expected]
