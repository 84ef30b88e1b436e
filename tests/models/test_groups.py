"""Taste clusters, neighbour rows and the id map: right answers known by eye."""

import numpy as np

from models.clusters import taste_clusters
from models.id_map import IdMap
from models.neighbours import pad_neighbours


def test_users_of_one_taste_share_a_cluster_whatever_their_zeal() -> None:
    tastes = np.repeat([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]], [30, 20, 10], axis=0)
    zeal = np.random.default_rng(0).uniform(0.1, 10, (60, 1))
    labels, centroids = taste_clusters((tastes * zeal).astype(np.float32), 3, 7)
    assert labels.tolist() == [0] * 30 + [1] * 20 + [2] * 10  # the largest comes first
    np.testing.assert_allclose(centroids, np.eye(3), atol=1e-6)


def test_the_same_seed_gives_the_same_clusters() -> None:
    factors = np.random.default_rng(1).normal(size=(500, 8)).astype(np.float32)
    first, second = taste_clusters(factors, 6, 7), taste_clusters(factors, 6, 7)
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes()


def test_users_without_factors_have_no_cluster_and_few_users_few_clusters() -> None:
    labels, centroids = taste_clusters(np.array([[0, 0], [1, 0]], np.float32), 8, 7)
    assert (labels.tolist(), len(centroids)) == ([-1, 0], 1)
    labels, centroids = taste_clusters(np.zeros((0, 2), np.float32), 8, 7)
    assert (len(labels), len(centroids)) == (0, 0)


def test_neighbours_are_padded_best_first_and_strangers_left_out() -> None:
    items = IdMap.of(["c", "a", "b"])
    rows, scores = pad_neighbours(
        items, ["a", "a", "c", "a", "x"], ["c", "b", "a", "x", "a"], np.array([0.5, 0.75, 0.25, 9, 9], np.float32)
    )
    assert rows.tolist() == [[1, 2], [-1, -1], [0, -1]]
    assert scores.tolist() == [[0.75, 0.5], [0, 0], [0.25, 0]]
    assert pad_neighbours(items, [], [], np.zeros(0, np.float32))[0].shape == (3, 0)


def test_ids_get_rows_in_their_own_order_and_unknown_ones_none() -> None:
    items = IdMap.of(["b", "ä", "a", "b"])
    assert items.external_ids == ("a", "b", "ä")
    assert items.rows(["ä", "nobody", "a"]).tolist() == [2, -1, 0]
    assert items == IdMap.of(["a", "b", "ä"])
