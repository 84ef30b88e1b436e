"""The two-tower's user: the mean of what they touched, bent by the context, and nothing out of nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import CorruptData
from models.id_map import IdMap
from models.two_tower import CONTEXT, MOST_OWN, TwoTower, own_weights
from models.two_tower_bundle import TowerBundle

ITEMS, SIZE, HIDDEN = 300, 4, 3
NOTHING = np.zeros(len(CONTEXT), np.float32)


@pytest.fixture
def towers() -> TwoTower:
    """Without correction: the outer layer is zero."""
    random = np.random.default_rng(5)
    return TwoTower(
        own_vectors=random.normal(size=(ITEMS, SIZE)).astype(np.float32),
        item_vectors=random.normal(size=(ITEMS, SIZE + 1)).astype(np.float32),
        inner_weights=random.normal(size=(HIDDEN, SIZE + len(CONTEXT))).astype(np.float32),
        inner_bias=np.ones(HIDDEN, np.float32),
        outer_weights=np.zeros((SIZE, HIDDEN), np.float32),
        outer_bias=np.zeros(SIZE, np.float32),
    )


def test_a_user_is_the_weighted_mean_of_their_items_and_one(towers: TwoTower) -> None:
    user = towers.user_vector(np.array([7, 9], np.int32), np.array([3, 1], np.float32), NOTHING)
    low, high = 1 + np.log(2), 1 + np.log(4)
    expected = (high * towers.own_vectors[7] + low * towers.own_vectors[9]) / (low + high)
    np.testing.assert_allclose(user, [*expected, 1.0], rtol=1e-5)


def test_the_context_bends_a_user_where_it_was_learned_to(towers: TwoTower) -> None:
    rows, counts = np.array([7], np.int32), np.ones(1, np.float32)
    summer = np.array([0, 0, 0, 5], np.float32)
    assert np.array_equal(towers.user_vector(rows, counts, summer), towers.user_vector(rows, counts, NOTHING))
    bent = replace(towers, outer_weights=np.ones((SIZE, HIDDEN), np.float32))
    assert not np.array_equal(bent.user_vector(rows, counts, summer), bent.user_vector(rows, counts, NOTHING))


def test_only_the_items_touched_most_count(towers: TwoTower) -> None:
    rows = np.arange(MOST_OWN + 50, dtype=np.int32)
    counts = np.where(rows < MOST_OWN, 2, 1).astype(np.float32)
    expected = towers.user_vector(rows[:MOST_OWN], counts[:MOST_OWN], NOTHING)
    assert np.array_equal(towers.user_vector(rows, counts, NOTHING), expected)


def test_nobody_without_items_has_a_vector(towers: TwoTower) -> None:
    assert towers.user_vector(np.zeros(0, np.int32), np.zeros(0, np.float32), NOTHING) is None


def test_weights_are_shares() -> None:
    assert own_weights(np.array([1, 10, 100], np.float32)).sum() == pytest.approx(1.0)


def bundle_of(towers: TwoTower) -> TowerBundle:
    return TowerBundle(IdMap.of(f"i{row:03d}" for row in range(ITEMS)), towers, {"recall": 0.5})


def test_towers_come_back_with_their_items(towers: TwoTower, tmp_path: Path) -> None:
    digest = bundle_of(towers).save(tmp_path / "one")
    found = TowerBundle.load(tmp_path / "one")
    assert found.items == bundle_of(towers).items
    assert found.figures == {"recall": 0.5}
    assert found.save(tmp_path / "two") == digest
    np.testing.assert_allclose(found.towers.item_vectors, towers.item_vectors, rtol=1e-3, atol=1e-6)


def test_a_changed_byte_of_the_towers_is_found(towers: TwoTower, tmp_path: Path) -> None:
    bundle_of(towers).save(tmp_path / "one")
    content = bytearray((tmp_path / "one" / "outer_bias.npy").read_bytes())
    content[-1] ^= 1
    (tmp_path / "one" / "outer_bias.npy").write_bytes(content)
    with pytest.raises(CorruptData, match="outer_bias"):
        TowerBundle.load(tmp_path / "one")


def test_towers_over_other_rows_know_the_same_items(towers: TwoTower) -> None:
    other = IdMap.of(["i007", "i200", "stranger"])
    moved = bundle_of(towers).aligned_to(other).towers
    np.testing.assert_array_equal(moved.own_vectors[other.rows(["i007", "i200"])], towers.own_vectors[[7, 200]])
    assert not moved.item_vectors[other.rows(["stranger"])].any()
