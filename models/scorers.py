"""Scoring with a trained ranker: LightGBM itself as reference, and the same trees compiled to machine code."""

import fcntl
import hashlib
import logging
import os
import platform
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.manifest import digest_file

logger = logging.getLogger(__name__)


class Trees(Protocol):
    """Whatever holds a model of LightGBM as text."""

    @property
    def model_text(self) -> str:
        """What LightGBM reads; its digest was checked."""
        ...


class Scorer(Protocol):
    """Scores rows of features; higher is better."""

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores float64 [n] of float32 [n, features of the model]."""
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
    """The same trees through lleaves, compiled once a model, CPU and compiler into `cache`."""

    def __init__(self, bundle: Trees, cache: Path) -> None:
        import lleaves

        cache.mkdir(parents=True, exist_ok=True, mode=0o700)  # what lies in it is run
        name = f"{_model_digest(bundle)}.{_machine()}"
        model_file, code = cache / f"{name}.txt", cache / f"{name}.o"
        with (cache / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two workers that start together compile once
            _write(model_file, bundle.model_text.encode())
            self._model: Any = lleaves.Model(model_file=str(model_file))
            if not _is_whole(code):
                _compile(str(model_file), code)
            self._model.compile(cache=str(code))

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores float64 [n]."""
        return np.asarray(self._model.predict(features.astype(np.float64), n_jobs=1), np.float64)


def make_scorer(bundle: Trees, cache: Path) -> Scorer:
    """The compiled scorer, or the reference with a warning where compiling fails."""
    try:
        return CompiledScorer(bundle, cache)
    except (ImportError, OSError, RuntimeError, ValueError, AssertionError) as error:
        logger.warning("event=ranker_not_compiled error=%r scorer=lightgbm", error)
        return BoosterScorer(bundle.model_text)


def _compile(model_file: str, code: Path) -> None:
    """Compile into a file of its own, then give it its name: a compiler killed half-way leaves nothing to be loaded."""
    import lleaves

    began = time.monotonic()
    fresh = code.with_suffix(f".{os.getpid()}.partial")
    fresh.unlink(missing_ok=True)  # lleaves would load what lies there
    lleaves.Model(model_file=model_file).compile(cache=str(fresh))
    _write(_digest_file(code), digest_file(fresh).encode())
    fresh.replace(code)
    logger.info("event=ranker_compiled file=%s seconds=%.1f", code.name, time.monotonic() - began)


def _is_whole(code: Path) -> bool:
    """Whether the code is there as it was compiled: LLVM ends the whole process over a damaged file."""
    try:
        return digest_file(code) == _digest_file(code).read_text()
    except FileNotFoundError:
        return False


def _digest_file(code: Path) -> Path:
    return code.with_suffix(".o.digest")


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def _model_digest(bundle: Trees) -> str:
    return hashlib.blake2b(bundle.model_text.encode(), digest_size=16).hexdigest()


@cache
def _machine() -> str:
    """A short name of this CPU's kind and the compiler: code made by or for another may not run here."""
    flags = next((line for line in _cpu_lines() if line.startswith(("flags", "Features"))), platform.machine())
    compiler = "/".join(version(name) for name in ("lleaves", "llvmlite"))
    return hashlib.blake2b(f"{flags} {compiler}".encode(), digest_size=6).hexdigest()


def _cpu_lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
