"""Two tastes that never meet, for peers: bakers and gardeners, with everybody buying bread."""

import numpy as np

from models.id_map import IdMap
from models.peers.histories import DAY_SECONDS, Catalogue, Histories, histories_of

ITEMS = IdMap.of(["bread", "flour", "yeast", "sugar", "soil", "seeds", "pots", "unsold"])
BAKERY, GARDEN = ("flour", "yeast", "sugar"), ("soil", "seeds", "pots")
DAYS = 200


def row(item: str) -> int:
    """Row of an item."""
    return int(ITEMS.rows([item])[0])


def names(rows: np.ndarray) -> list[str]:
    """Ids of a list's rows, without what is missing."""
    return [ITEMS.external_ids[one] for one in rows.tolist() if one >= 0]


def corner_histories(users: int = 12) -> Histories:
    """Even users bake and odd ones garden; each buys bread every day and two of the three things of its taste."""
    who, what, when = [], [], []
    for user in range(users):
        taste = BAKERY if user % 2 == 0 else GARDEN
        kept = [item for place, item in enumerate(taste) if place != (user // 2) % 3]
        for day in range(0, DAYS, 4):
            for hour, item in enumerate(("bread", *kept)):
                who.append(user)
                what.append(row(item))
                when.append(day * DAY_SECONDS + hour * 3_600)
    codes = np.array([0 if item in BAKERY else 1 if item in GARDEN else -1 for item in ITEMS.external_ids], np.int32)
    catalogue = Catalogue(ITEMS, codes, np.linspace(1.0, 8.0, len(ITEMS)))
    rows = np.array(who, np.int64), np.array(what, np.int32), np.array(when, np.int64)
    ids = tuple(f"user-{number:02}" for number in range(users))
    return histories_of(ids, catalogue, rows, end_at=DAYS * DAY_SECONDS)
