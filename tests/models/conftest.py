"""One small world and one small ranker for all tests of the models that only look."""

from pathlib import Path

import numpy as np
import pytest

from models.candidate_bundle import CandidateBundle
from models.gate import GateSet
from models.ranker import RankerBundle, RankerParameters, train_ranker
from models.scorers import BoosterScorer, CompiledScorer
from models.two_stage import candidate_features
from tests.models.small_world import TASTES, draw_requests, make_bundle

SMALL = RankerParameters(trees=20, leaves=7, least_rows_a_leaf=5)


@pytest.fixture(scope="session")
def bundle() -> CandidateBundle:
    """300 items."""
    return make_bundle()


@pytest.fixture(scope="session")
def examples(bundle: CandidateBundle) -> GateSet:
    """What 200 users saw, and took with a chance that grows with their count of it and its co-occurrence."""
    random = np.random.default_rng(5)
    found = candidate_features(bundle, draw_requests(bundle, 200), 60)
    features = np.concatenate([one.features for one in found])
    liking = features[:, 8] + 2 * features[:, 2] + random.normal(0, 0.5, len(features))
    labels = (liking > np.quantile(liking, 0.9)).astype(np.int32)
    return GateSet(features, labels, np.array([len(one.rows) for one in found], np.int32))


@pytest.fixture(scope="session")
def ranker(examples: GateSet) -> RankerBundle:
    """Twenty trees, trained in half a second."""
    booster = train_ranker(examples.features, examples.labels, examples.group_sizes, SMALL)
    return RankerBundle(booster.model_to_string(), "2026-01-31T00:00:00Z", {"tastes": TASTES})


@pytest.fixture(scope="session")
def reference(ranker: RankerBundle) -> BoosterScorer:
    """LightGBM itself."""
    return BoosterScorer(ranker.model_text)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the ranker is compiled, once for all tests."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="session")
def compiled(ranker: RankerBundle, cache: Path) -> CompiledScorer:
    """The same trees as machine code."""
    return CompiledScorer(ranker, cache)
