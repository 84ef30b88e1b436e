"""CPU of the gate in process: bytes of JSON in, records for the stream out.

`python -m benchmarks.gate [--events 100000]`. The reference of the same run is what any server of Python pays before it
knows anything: json.loads and a copy of the dict.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any
from uuid import UUID

from benchmarks.report import Figure, show
from contracts.event_contract import encode_event
from ingest.gate import Accepted, Gate

NOW = 1_769_842_800_000_000
BATCH_SIZE = 50
GOAL_MICROSECONDS = 25.0
PURCHASE_SHARE = 0.1
_ROUNDS = 7

Make = Callable[[Random], dict[str, Any]]


def view(rng: Random) -> dict[str, Any]:
    """What a page sends most."""
    return {
        "event_id": str(UUID(int=rng.getrandbits(128))),
        "event_type": "view",
        "user_id": f"household-{rng.randrange(10_000)}",
        "session_id": f"s-{rng.randrange(100_000)}",
        "item_id": f"sku-{rng.randrange(1_000_000)}",
        "occurred_at": NOW // 1_000 - rng.randrange(10_000),
        "context": {"channel": "web", "device_type": "phone", "placement": "home"},
    }


def purchase(rng: Random) -> dict[str, Any]:
    """An event with nearly everything that an event may say."""
    return view(rng) | {
        "event_type": "purchase",
        "source": "web",
        "occurred_at": "2026-01-31T06:59:48.123Z",
        "sent_at": NOW // 1_000,
        "value": 12.5,
        "currency": "EUR",
        "quantity": 2,
        "recommendation_id": "2026-01-31T07.3.9f2c",
        "context": {
            "channel": "web",
            "region": "north",
            "locale": "de-DE",
            "device_type": "phone",
            "placement": "home",
        },
        "consent": {"personalization": True, "ads": False},
        "properties": {"coupon": "SPRING", "gift": False},
    }


def mixed(rng: Random) -> dict[str, Any]:
    """A purchase for every nine views."""
    return purchase(rng) if rng.random() < PURCHASE_SHARE else view(rng)


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="events a row, over all rounds")
    count = parser.parse_args().events // _ROUNDS // BATCH_SIZE * BATCH_SIZE
    figures = [
        figure
        for name, make in (("mixed", mixed), ("view", view), ("purchase", purchase))
        for figure in measure(name, make, count)
    ]
    show("gate", figures, {"events a round": count, "rounds": _ROUNDS, "purchases in the mix": PURCHASE_SHARE})


def measure(name: str, make: Make, count: int) -> Iterator[Figure]:
    """Rows of one kind of event."""
    rng, gate = Random(1), Gate()
    singles = [json.dumps(make(rng)).encode() for _ in range(count)]
    bodies = [b"[" + b",".join(singles[at : at + BATCH_SIZE]) + b"]" for at in range(0, count, BATCH_SIZE)]
    events = [verdict.event for body in bodies for verdict in _check(gate, body)]
    batch, single, encode, reference = _turn_by_turn(
        count,
        (lambda body: _check(gate, body), bodies),
        (lambda body: _check(gate, body), singles),
        (encode_event, events),
        (lambda body: dict(json.loads(body)), singles),
    )
    size = f"{sum(map(len, singles)) / count:.0f} bytes"
    for what, micros in ((f"batches of {BATCH_SIZE}", batch), ("one a body", single)):
        yield Figure(
            f"validate + encode, {name} ({size}), {what}",
            f"{micros:.1f} µs CPU",
            f"json.loads + copy {reference:.1f} µs",
            micros / reference,
            f"≤ {GOAL_MICROSECONDS:.0f} µs CPU",
            micros <= GOAL_MICROSECONDS,
        )
    yield Figure(f"of which Avro, {name}", f"{encode:.1f} µs CPU", f"{reference:.1f} µs", encode / reference, "", None)


def _check(gate: Gate, body: bytes) -> list[Accepted]:
    verdicts = gate.check_batch(body, received_at=NOW)
    accepted = [verdict for verdict in verdicts if isinstance(verdict, Accepted)]
    if len(accepted) != len(verdicts):
        raise RuntimeError("the benchmark made an event that the gate refuses; it measures accepted ones only")
    return accepted


def _turn_by_turn(count: int, *works: tuple[Callable[[Any], object], Sequence[Any]]) -> list[float]:
    """Median microseconds of CPU an event of each work, the works taking turns so that noise meets all of them.

    Nothing that a work returns is kept, as a server keeps nothing either.
    """
    rounds: list[list[float]] = [[] for _ in works]
    for _ in range(_ROUNDS):
        for times, (work, inputs) in zip(rounds, works, strict=True):
            before = time.process_time()
            for one in inputs:
                work(one)
            times.append((time.process_time() - before) / count * 1e6)
    return [statistics.median(times) for times in rounds]


if __name__ == "__main__":
    main()
