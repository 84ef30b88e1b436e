"""The compiled ranker: the reference's order, compiled once, and no half-written file is ever loaded."""

import logging
import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest

from models.gate import GateSet
from models.ranker import RankerBundle, RankerParameters, train_ranker
from models.scorers import BoosterScorer, CompiledScorer, make_scorer


def stump(examples: GateSet) -> RankerBundle:
    """A ranker that compiles in an instant."""
    tiny = RankerParameters(trees=2, leaves=3, least_rows_a_leaf=5)
    booster = train_ranker(examples.features, examples.labels, examples.group_sizes, tiny)
    return RankerBundle(booster.model_to_string(), "x", {})


def rows(examples: GateSet, count: int = 10_000) -> np.ndarray:
    random = np.random.default_rng(2)
    drawn = examples.features[random.integers(0, len(examples.features), count)].copy()
    drawn *= random.uniform(0.5, 1.5, drawn.shape).astype(np.float32)
    drawn[random.random(drawn.shape) < 0.2] = np.nan
    return drawn


def test_ten_thousand_rows_with_missing_values_are_in_the_order_of_the_reference(
    examples: GateSet, compiled: CompiledScorer, reference: BoosterScorer
) -> None:
    drawn = rows(examples)
    ours, theirs = compiled.score(drawn), reference.score(drawn)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    places = np.arange(len(drawn))
    order = [np.lexsort((places, -scores.astype(np.float32))) for scores in (ours, theirs)]
    np.testing.assert_array_equal(*order)


def test_rows_are_scored_alone_as_together(examples: GateSet, compiled: CompiledScorer) -> None:
    drawn = rows(examples, 50)
    together = compiled.score(drawn)
    assert [float(compiled.score(drawn[[row]])[0]) for row in range(50)] == together.tolist()


def test_two_processes_that_start_together_compile_once(examples: GateSet, tmp_path: Path) -> None:
    ranker, spawn = stump(examples), multiprocessing.get_context("spawn")
    compiled, together = spawn.Queue(), spawn.Barrier(2)
    ours = (ranker, tmp_path, compiled, together)
    workers = [spawn.Process(target=_count_compilations, args=ours) for _ in range(2)]
    for worker in workers:
        worker.start()
    counts = sorted(compiled.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    assert counts == [0, 1]


def test_a_damaged_or_half_written_file_is_compiled_again(examples: GateSet, tmp_path: Path) -> None:
    ranker, drawn = stump(examples), rows(examples, 100)
    expected = CompiledScorer(ranker, tmp_path).score(drawn)
    (code,) = tmp_path.glob("*.o")
    whole = code.read_bytes()
    for damaged in (whole[: len(whole) // 2], b""):
        code.write_bytes(damaged)
        assert CompiledScorer(ranker, tmp_path).score(drawn).tolist() == expected.tolist()
        assert len(code.read_bytes()) == len(whole)


def test_what_a_killed_compiler_left_is_never_loaded(examples: GateSet, tmp_path: Path) -> None:
    ranker = stump(examples)
    CompiledScorer(ranker, tmp_path)
    (code,) = tmp_path.glob("*.o")
    code.rename(code.with_suffix(".1234.partial"))  # killed before the file got its name
    CompiledScorer(ranker, tmp_path)
    assert code.exists()


def test_where_nothing_can_be_compiled_the_reference_scores(
    ranker: RankerBundle, examples: GateSet, reference: BoosterScorer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    scorer = make_scorer(ranker, tmp_path / "cache")
    drawn = rows(examples, 20)
    assert scorer.score(drawn).tolist() == reference.score(drawn).tolist()
    assert "ranker_not_compiled" in caplog.text


def _count_compilations(
    ranker: RankerBundle, cache: Path, compiled: "multiprocessing.Queue[int]", together: Barrier
) -> None:
    class Counter(logging.Handler):
        count = 0

        def emit(self, record: logging.LogRecord) -> None:
            Counter.count += "ranker_compiled" in record.getMessage()

    logger = logging.getLogger("models.scorers")
    logger.setLevel(logging.INFO)
    logger.addHandler(Counter())
    together.wait(60)
    CompiledScorer(ranker, cache)
    compiled.put(Counter.count)
