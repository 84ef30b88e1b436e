"""Which events say that somebody wanted something, in plain Arrow; `spark_jobs.window` says the same to Spark."""

import pyarrow as pa
import pyarrow.compute as pc

from contracts.event_weights import weightless_types
from contracts.lake import EVENT_TYPE


def is_counted(events: pa.Table, event_weights: str) -> pa.ChunkedArray:
    """Whether each event has a type that weighs something, by the text of the setting."""
    return pc.invert(pc.is_in(events[EVENT_TYPE], pa.array(weightless_types(event_weights), pa.string())))
