"""Train the session model on the lake's newest sessions, pass it through its gate, and save it as a bundle.

The trees learn on sessions before those of the gate; what serves counts its sources on all of them.
"""

import logging
from dataclasses import replace

from contracts.errors import BadInput, CorruptData
from contracts.intervals import format_instant
from models.scorers import BoosterScorer
from models.session_gate import Predict, SessionFigures, by_model, by_popularity, pass_session_gate
from models.session_model import SessionModel
from models.session_training import fit_session_model, recount
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.lake_sessions import LakeSessions, read_sessions
from spark_jobs.rankers import session_model_before, session_model_folder
from spark_jobs.window import window_digest

logger = logging.getLogger(__name__)
JOB = "train_session"
GATE_SHARE, MOST_GATE_SESSIONS = 0.05, 1_000


def run(context: JobContext) -> None:
    """Write the session model whose sessions end with the interval; GateRefused keeps the one before in place.

    Where sessions teach nothing, since hardly anybody has two events in one, there is no model, and none is needed.
    """
    watch = Stopwatch()
    known = read_sessions(context, context.end_seconds)
    try:
        model, found = _fit_behind_gate(context, known)
    except BadInput as error:
        logger.warning("event=no_session_model interval=%s reason=%s", context.key, error)
        return
    figures = dict(model.figures) | found.as_figures()
    inputs = {"clean_events": window_digest(context, context.end_seconds)}
    notes = {"job": JOB, "end_at": format_instant(context.interval.end_at), "inputs": inputs}
    digest = replace(model, figures=figures).save(session_model_folder(context), notes)
    logger.info(
        "event=job_done job=%s interval=%s rows=%d seconds=%.3f digest=%s %s",
        *(JOB, context.key, len(known.sessions), watch.seconds, digest),
        " ".join(f"{name}={value}" for name, value in figures.items()),
    )


def fit_as_of(context: JobContext, end_at: int) -> SessionModel | None:
    """The model that sessions before an instant make, without a gate; nothing where they teach nothing."""
    known = read_sessions(context, end_at)
    try:
        return replace(fit_session_model(known.sessions, len(known.items)), item_ids=known.items.external_ids)
    except BadInput as error:
        logger.warning("event=no_session_model interval=%s reason=%s", context.key, error)
        return None


def _fit_behind_gate(context: JobContext, known: LakeSessions) -> tuple[SessionModel, SessionFigures]:
    count = len(known.sessions)
    held = count - min(max(1, round(GATE_SHARE * count)), MOST_GATE_SESSIONS)
    fitted = fit_session_model(known.sessions.part(0, held), len(known.items))
    fitted = replace(fitted, item_ids=known.items.external_ids)
    figures = pass_session_gate(
        known.sessions.part(held, count),
        by_model(fitted, BoosterScorer(fitted.model_text), known.items),
        by_popularity(fitted),
        _previous(context, known),
    )
    return recount(fitted, known.sessions), figures


def _previous(context: JobContext, known: LakeSessions) -> Predict | None:
    before = session_model_before(context)
    try:
        model = SessionModel.load(before) if before else None
    except CorruptData as error:  # such as one of other features, after an upgrade: it could not serve either
        logger.warning("event=previous_session_model_unusable model=%s error=%s", before, error)
        return None
    return by_model(model, BoosterScorer(model.model_text), known.items) if model else None


if __name__ == "__main__":
    run_alone(run, spark=False)
