"""One hour of a simulated world: sessions, what they look at, how far each look goes, and when."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.lake import EVENTS
from headrace.shelf import Floats, Ints, Shelf
from headrace.world import REPEAT_SHARE, Plan, World, item_weights
from ingest.schemas import EVENTS_SCHEMA, STRING_MAP

EVENT_TYPES = ("view", "click", "add_to_cart", "purchase", "rating")
DEVICES = ("desktop", "mobile", "tablet")
_PURCHASE, _RATING = EVENT_TYPES.index("purchase"), EVENT_TYPES.index("rating")
# How many steps of EVENT_TYPES a look goes, running sums: for something found, and for a staple.
_FOUND, _STAPLE = np.cumsum([0.60, 0.22, 0.10, 0.065, 0.015]), np.cumsum([0.20, 0.15, 0.20, 0.40, 0.05])
_LOOKS_STOP, _MAX_LOOKS = 0.25, 30
_GAP_SECONDS, _HOUR_SECONDS = 25.0, 3600.0
_BATCH = 4096


@dataclass(frozen=True, slots=True)
class Names:
    """Ids by row, made once."""

    users: pa.Array
    items: pa.Array

    @classmethod
    def of(cls, plan: Plan) -> "Names":
        """u0000000 … and i0000000 …, in order of arrival."""
        return cls(numbered("u", np.arange(plan.user_count), 7), numbered("i", np.arange(plan.item_count), 7))


@dataclass(frozen=True, slots=True)
class _Looks:
    session: Ints
    user: Ints
    item: Ints
    depth: Ints


def draw_hour(plan: Plan, world: World, names: Names, hour: int, count: int) -> pa.Table:
    """Exactly `count` events of an hour of the span, as the table events keeps them: sorted, no id twice."""
    rng = plan.random(2, hour)
    looks = _draw_looks(rng, world, hour, count)
    row = np.repeat(np.arange(len(looks.depth)), looks.depth)[:count]
    first = np.cumsum(looks.depth) - looks.depth
    kind = np.arange(count) - first[row]
    seconds = _draw_times(rng, looks.session[row])
    start_at = int(plan.hour_at(hour).timestamp())
    micros = start_at * 1_000_000 + (seconds * 1e6).astype(np.int64)
    order = np.argsort(micros, kind="stable")
    row, kind = row[order], kind[order]
    value, quantity = _draw_values(rng, world, looks, row, kind)
    prefix = f"{start_at // 3600}-"
    columns = (
        numbered(prefix, np.arange(count), 7),
        pa.array(EVENT_TYPES).take(pa.array(kind)),
        names.users.take(pa.array(looks.user[row])),
        names.items.take(pa.array(looks.item[row])),
        pa.array(micros[order]).cast(EVENTS_SCHEMA.types[4]),
        value,
        quantity,
        numbered(f"{prefix}s", looks.session[row], 6),
        _device_of(looks.session[row], looks.user[row]),
    )
    return pa.table(dict(zip(EVENTS.column_names, columns, strict=True)), schema=EVENTS_SCHEMA)


def numbered(prefix: str, numbers: Ints, width: int) -> pa.Array:
    """Strings of a prefix and a number, padded with zeros to `width` digits."""
    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width=width, padding="0")
    return pc.binary_join_element_wise(prefix, digits, "")


def _draw_looks(rng: np.random.Generator, world: World, hour: int, count: int) -> _Looks:
    """Looks whose steps come to at least `count` events."""
    shelf = Shelf.of(world.item_group, item_weights(world, hour), len(world.group_factors))
    known = int(np.searchsorted(world.user_arrival, hour, side="right"))
    running = np.cumsum(world.user_activity[:known])
    parts: list[_Looks] = []
    sessions = events = 0
    while events < count:
        size = min(_BATCH, 1 + int((count - events) * _LOOKS_STOP / 1.5))
        visitors = np.searchsorted(running, rng.random(size) * running[-1], side="right")
        part = _draw_batch(rng, world, shelf, np.minimum(visitors, known - 1))
        parts.append(_Looks(part.session + sessions, part.user, part.item, part.depth))
        sessions += size
        events += int(part.depth.sum())
    return _Looks(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Looks.__slots__))


def _draw_batch(rng: np.random.Generator, world: World, shelf: Shelf, visitors: Ints) -> _Looks:
    sizes = np.minimum(rng.geometric(_LOOKS_STOP, len(visitors)), _MAX_LOOKS)
    session = np.repeat(np.arange(len(visitors)), sizes)
    user = visitors[session]
    found = shelf.draw(rng, world.user_factors[visitors], world.group_factors, session)
    is_staple = rng.random(len(session)) < REPEAT_SHARE
    staple = world.user_staples[user, rng.integers(0, world.user_staples.shape[1], len(session))]
    luck = rng.random(len(session))
    depth = np.where(is_staple, np.searchsorted(_STAPLE, luck), np.searchsorted(_FOUND, luck))
    return _Looks(session, user, np.where(is_staple, staple, found), np.minimum(depth, _RATING) + 1)


def _draw_times(rng: np.random.Generator, session: Ints) -> Floats:
    """Seconds into the hour: each session starts somewhere and ends before the hour does."""
    gaps = rng.exponential(_GAP_SECONDS, len(session))
    running = np.cumsum(gaps)
    is_first = np.r_[True, session[1:] != session[:-1]]
    starts = np.flatnonzero(is_first)
    ordinal = np.cumsum(is_first) - 1
    elapsed = running - running[starts][ordinal]
    lasted = elapsed[np.r_[starts[1:], len(session)] - 1]
    fits = np.minimum(1.0, (_HOUR_SECONDS - 60) / np.maximum(lasted, 1e-9))
    begin = rng.random(len(starts)) * (_HOUR_SECONDS - 1 - lasted * fits)
    return begin[ordinal] + elapsed * fits[ordinal]


def _draw_values(
    rng: np.random.Generator, world: World, looks: _Looks, row: Ints, kind: Ints
) -> tuple[pa.Array, pa.Array]:
    """Value and quantity: what a purchase cost and held, how many stars a rating gave; else missing."""
    item, user = looks.item[row], looks.user[row]
    quantity = np.minimum(rng.geometric(0.75, len(row)), 12).astype(np.float64)
    value = np.round(world.item_price[item] * quantity, 2)
    rated = np.flatnonzero(kind == _RATING)
    likes = np.einsum("nd,nd->n", world.user_factors[user[rated]], world.item_factors_of(item[rated]))
    value[rated] = np.clip(np.round(2.5 + 2.5 * likes + rng.normal(0.0, 0.6, len(rated))), 1, 5)
    return (
        pa.array(value, mask=(kind != _PURCHASE) & (kind != _RATING)),
        pa.array(quantity, mask=kind != _PURCHASE),
    )


def _device_of(session: Ints, user: Ints) -> pa.Array:
    """Context: the device of the session, mostly the one that the user likes best."""
    device = np.where(session % 4 == 0, (session // 4) % len(DEVICES), user % len(DEVICES))
    offsets = pa.array(np.arange(len(session) + 1, dtype=np.int32))
    keys = pa.repeat("device", len(session))
    return pa.MapArray.from_arrays(offsets, keys, pa.array(DEVICES).take(pa.array(device))).cast(STRING_MAP)
