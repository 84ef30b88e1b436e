"""Scoring with a trained ranker: LightGBM itself as reference, and the same trees compiled to machine code."""

import fcntl
import hashlib
import logging
import platform
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.ranker import RankerBundle

logger = logging.getLogger(__name__)


class Scorer(Protocol):
    """Scores rows of features; higher is better."""

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores float64 [n] of float32 [n, len(FEATURE_ORDER)]."""
        ...


class BoosterScorer:
    """LightGBM on one thread: the reference."""

    def __init__(self, model_text: str) -> None:
        import lightgbm as lgb  # after fork: OpenMP threads do not survive one

        self._booster = lgb.Booster(model_str=model_text)

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores float64 [n]."""
        return np.asarray(self._booster.predict(features, num_threads=1), np.float64)


class CompiledScorer:
    """The same trees through lleaves, compiled once a model and CPU into `cache`."""

    def __init__(self, bundle: RankerBundle, cache: Path) -> None:
        import lleaves

        cache.mkdir(parents=True, exist_ok=True)
        name = f"{bundle.digest or hashlib.blake2b(bundle.model_text.encode(), digest_size=16).hexdigest()}.{_cpu()}"
        model_file, compiled = cache / f"{name}.txt", cache / f"{name}.o"
        with (cache / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two workers that start together compile once
            model_file.write_text(bundle.model_text)
            self._model: Any = lleaves.Model(model_file=str(model_file))
            self._model.compile(cache=str(compiled))

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores float64 [n]."""
        return np.asarray(self._model.predict(features.astype(np.float64), n_jobs=1), np.float64)


def make_scorer(bundle: RankerBundle, cache: Path) -> Scorer:
    """The compiled scorer, or the reference with a warning where compiling fails."""
    try:
        return CompiledScorer(bundle, cache)
    except (ImportError, OSError, RuntimeError, ValueError, AssertionError) as error:
        logger.warning("event=ranker_not_compiled error=%r scorer=lightgbm", error)
        return BoosterScorer(bundle.model_text)


def _cpu() -> str:
    """A short name of this CPU's kind: code compiled for one may not run on another."""
    flags = next((line for line in _cpu_lines() if line.startswith(("flags", "Features"))), platform.machine())
    return hashlib.blake2b(flags.encode(), digest_size=6).hexdigest()


def _cpu_lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
