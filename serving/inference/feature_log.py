"""A sample of served answers with their features, in files of bounded size: what the batch's way is compared with."""

import base64
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from contracts.feature_record import FEATURE_LOG_FOLDER, FeatureRecord
from contracts.manifest import digest_of
from contracts.settings import Layout, Settings
from models.two_stage import Bundle, CandidateFeatures, candidate_features
from models.user_state import LiveSession, Request
from serving.inference.messages import TailAsk

logger = logging.getLogger(__name__)
LOGGED_ROWS = 16  # of an answer's candidates, spread evenly
FILES = 16  # the log is cut into as many, and the oldest goes


class FeatureLog:
    """Notes one of `one_in` answers; for one thread. A log that cannot be written harms no answer."""

    def __init__(self, folder: Path, interval: str, *, one_in: int, max_bytes: int) -> None:
        self._folder, self._interval = folder, interval
        self._one_in, self._max_bytes = one_in, max_bytes
        self._answers, self._files, self._written = 0, 0, 0
        self._file = folder

    @classmethod
    def of(cls, settings: Settings, interval: str) -> "FeatureLog":
        """The log of a worker that answers for an hour, as the settings say."""
        folder = Layout(settings.root).logs / FEATURE_LOG_FOLDER
        return cls(folder, interval, one_in=settings.feature_log_one_in, max_bytes=settings.feature_log_bytes)

    def note(self, ask: TailAsk, request: Request, bundle: Bundle, *, known: bool) -> None:
        """Note an answer when its turn has come; its features are computed once more, which takes milliseconds.

        Nobody's questions, those of a worker that warms itself, have no turn.
        """
        if not self._one_in or not ask.user_id:
            return
        self._answers += 1
        if (self._answers - 1) % self._one_in:
            return
        count = max(bundle.candidate_count, ask.limit if ask.items is None else len(ask.items))
        (found,) = candidate_features(bundle.candidates, [request], count, bundle.session)
        try:
            self._write(self._record(ask, request, bundle, found, known).encode())
        except OSError as error:
            logger.warning("features_not_logged: %s", error)

    def _record(
        self, ask: TailAsk, request: Request, bundle: Bundle, found: CandidateFeatures, known: bool
    ) -> FeatureRecord:
        ids = bundle.candidates.items.external_ids
        excluded = sorted(request.excluded)
        rows = bundle.candidates.items.rows(excluded)
        shown = np.unique(np.linspace(0, len(found.rows) - 1, min(LOGGED_ROWS, len(found.rows))).astype(np.int64))
        return FeatureRecord(
            interval=self._interval,
            as_of_at=request.as_of_at,
            user_id=request.user_id,
            known=known,
            forgotten_ms=ask.forgotten_ms,
            events=_events(request.session),
            excluded=[item for item, row in zip(excluded, rows, strict=True) if row >= 0],
            items=ask.items,
            filter=ask.filter,
            count=max(bundle.candidate_count, ask.limit if ask.items is None else len(ask.items)),
            candidates_digest=digest_of(*(ids[row] for row in found.rows)),
            item_ids=[ids[row] for row in found.rows[shown]],
            features=base64.b64encode(found.features[shown].astype("<f4").tobytes()).decode("ascii"),
        )

    def _write(self, line: bytes) -> None:
        if not self._files or self._written + len(line) > self._max_bytes // FILES:
            self._folder.mkdir(parents=True, exist_ok=True)
            drop_oldest(self._folder, self._max_bytes - self._max_bytes // FILES)
            self._files += 1
            self._file = (
                self._folder / f"{time.time_ns()}-{os.getpid()}-{self._files:06}.jsonl"
            )  # the oldest sort first
            self._written = 0
        with self._file.open("ab") as file:
            file.write(line)
        self._written += len(line)


def drop_oldest(folder: Path, max_bytes: int) -> None:
    """Remove the oldest files of a log until the others take no more than this; several processes may do so at once."""
    sizes = {file: _size(file) for file in sorted(folder.glob("*.jsonl"))}
    left = sum(sizes.values())
    for file, size in sizes.items():
        if left <= max_bytes:
            return
        file.unlink(missing_ok=True)
        left -= size


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _events(session: LiveSession) -> list[tuple[str, str, int, float | None]]:
    columns: tuple[Iterable[object], ...] = (
        session.event_types,
        session.item_ids,
        session.at_seconds.tolist(),
        [None if np.isnan(value) else value for value in session.values.tolist()],
    )
    return list(zip(*columns, strict=True))
