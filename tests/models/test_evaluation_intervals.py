"""Bootstrap intervals: they hold the truth as often as they say, and differences are paired."""

import numpy as np

from models.evaluation_intervals import estimate, paired_difference, resampled_means


def test_the_interval_holds_the_true_mean_in_about_95_of_100_worlds() -> None:
    random = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        found = estimate(random.beta(1, 3, 120))  # the true mean is a quarter
        held += found.low <= 0.25 <= found.high
    assert 0.88 <= held / 200 <= 0.99


def test_a_paired_difference_is_narrower_than_the_two_intervals() -> None:
    random = np.random.default_rng(2)
    theirs = random.random(300)
    ours = theirs + 0.02 + random.normal(0, 0.01, 300)
    ahead = paired_difference(ours, theirs)
    assert ahead.low > 0
    assert ahead.high - ahead.low < 0.2 * (estimate(ours).high - estimate(ours).low)


def test_the_same_values_give_the_same_interval_and_users_without_one_are_left_out() -> None:
    values = np.array([0.1, np.nan, 0.4, 0.9])
    assert estimate(values) == estimate(values)
    assert estimate(values) == estimate(np.array([0.1, 0.4, 0.9]))
    assert np.isnan(estimate(np.full(3, np.nan)).mean)


def test_all_columns_are_drawn_with_the_same_users() -> None:
    values = np.random.default_rng(3).random((50, 1))
    means = resampled_means(np.hstack([values, values]), samples=20)
    assert np.allclose(means[:, 0], means[:, 1], rtol=0, atol=1e-12)
