"""What is known of a person as of an hour's end, and where it is found: the warm memory of on-demand inference."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.user_state import OwnItems, unknown_user_stats


@dataclass(frozen=True, slots=True)
class Profile:
    """One person's bounded state, the same numbers that the batch scores from; `user_stats` as in Request."""

    own: OwnItems = field(default_factory=OwnItems)
    user_stats: NDArray[np.float64] = field(default_factory=unknown_user_stats)


NOTHING_KNOWN = Profile()


class Profiles(Protocol):
    """All profiles of one hour."""

    def read(self, user_id: str) -> Profile | None:
        """The profile of a person; None when nothing is known of them, StoreUnavailable when it cannot be read."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


@dataclass(frozen=True, slots=True)
class DictProfiles:
    """Profiles in memory."""

    by_user: dict[str, Profile]

    def read(self, user_id: str) -> Profile | None:
        """The profile of a person, None when nothing is known of them."""
        return self.by_user.get(user_id)

    def close(self) -> None:
        """Nothing to let go of."""
