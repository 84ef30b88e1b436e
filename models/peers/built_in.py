"""The peers that come along, by name, and peers of one's own by `module:function`."""

from collections.abc import Mapping
from importlib import import_module

from contracts.errors import BadInput
from models.peers.ease import ease
from models.peers.implicit_als import implicit_als
from models.peers.item_knn import item_knn
from models.peers.peer import Peer
from models.peers.personal_frequency import personal_frequency
from models.peers.plain_lightgbm import plain_lightgbm
from models.peers.popularity import popularity, recent_popularity
from models.peers.sequential_rules import sequential_rules

BUILT_IN: Mapping[str, Peer] = {
    "popularity": popularity,
    "recent popularity": recent_popularity,
    "personal frequency": personal_frequency,
    "item-kNN": item_knn,
    "implicit ALS": implicit_als,
    "EASE": ease,
    "sequential rules": sequential_rules,
    "LightGBM, plain": plain_lightgbm,
}


def load_peer(path: str) -> Peer:
    """The function that "module:function" names; BadInput says what is wrong."""
    module, colon, name = path.partition(":")
    try:
        found: Peer = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(f"peer {path!r} cannot be loaded ({error}); write my_module:my_function") from error
    if not (colon and callable(found)):
        raise BadInput(f"peer {path!r} is no function; write my_module:my_function")
    return found
