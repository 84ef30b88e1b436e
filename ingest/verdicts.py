"""The first reason why each row of a chunk cannot be accepted, and the checks that give reasons."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.user_state import MAX_ID_BYTES


class Verdicts:
    """One reason a row, empty while nothing speaks against it."""

    def __init__(self, row_count: int) -> None:
        self.reasons: NDArray[np.object_] = np.full(row_count, "", object)

    @property
    def accepted(self) -> pa.Array:
        """Mask of the rows without a reason."""
        return pa.array(self.reasons == "", pa.bool_())

    def refuse(self, rows: NDArray[np.bool_], reason: str) -> None:
        """Give `reason` to the marked rows that have none yet."""
        self.reasons[rows & (self.reasons == "")] = reason

    def need_id(self, column: pa.Array, name: str) -> None:
        """Refuse rows whose id is missing, or too long to be asked for."""
        self.refuse(np.asarray(column.is_null()), f"{name} is missing")
        self.bound_id(column, name)

    def bound_id(self, column: pa.Array, name: str) -> None:
        """Refuse rows whose id is too long."""
        too_long = pc.greater(pc.binary_length(column), MAX_ID_BYTES).fill_null(False)
        self.refuse(np.asarray(too_long), f"{name} is longer than {MAX_ID_BYTES} bytes")

    def read_number(self, column: pa.Array, name: str) -> pa.Array:
        """A column as float64; rows whose text is no finite number are refused."""
        numbers = _to_floats(column)
        is_odd = np.asarray(pc.and_(column.is_valid(), pc.invert(pc.is_finite(numbers).fill_null(False))))
        self.refuse(is_odd, f"{name} is no finite number")
        return numbers


def _to_floats(column: pa.Array) -> pa.Array:
    """Float64; NaN where there is a value that is no number."""
    try:
        return column.cast(pa.float64(), safe=False)
    except pa.ArrowInvalid:
        return pa.array([_to_float(value) for value in column.to_pylist()], pa.float64())
    except pa.ArrowNotImplementedError:
        return pc.if_else(column.is_valid(), float("nan"), pa.scalar(None, pa.float64()))


def _to_float(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return float("nan")
