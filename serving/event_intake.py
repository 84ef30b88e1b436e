"""Verdicts of the gate brought to the intake, and what came of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.records import Record
from ingest.gate import Accepted, Refused, Verdict
from ingest.intake import Intake
from serving.receipts import ACCEPTED, DUPLICATE, REJECTED, Result


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result for each verdict, and whether the next look-up sees what was accepted."""

    results: list[Result]
    visible: bool


def take_verdicts(intake: Intake, verdicts: Sequence[Verdict], more: Sequence[Record] = ()) -> Outcome:
    """Store events and dead letters, and records that came with them; StreamFull, SpoolFull."""
    taken = intake.take(
        [*(verdict.record for verdict in verdicts), *more],
        [verdict.event for verdict in verdicts if isinstance(verdict, Accepted)],
    )
    results = [_result(verdict, is_new, taken.sequences) for verdict, is_new in zip(verdicts, taken.news, strict=False)]
    return Outcome(results, taken.visible)


def _result(verdict: Verdict, is_new: bool, sequences: Mapping[str, int]) -> Result:
    if isinstance(verdict, Refused):
        return {
            "event_id": verdict.event_id,
            "status": REJECTED,
            "reason": verdict.reason,
            "detail": verdict.detail,
        }
    event_id = verdict.event.event_id
    seq = {"seq": sequences[event_id]} if event_id in sequences else {}
    return {"event_id": event_id, "status": ACCEPTED if is_new else DUPLICATE, **seq}
