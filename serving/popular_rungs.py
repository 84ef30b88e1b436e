"""The rungs below a person's own list: what is popular near them, popular overall, and the last list known."""

from collections.abc import Sequence

from contracts.errors import HeadraceError, MissingInput
from contracts.lake import BY_CATEGORY, BY_REGION, BY_SEGMENT, TRENDING
from serving.left_out import LeftOut
from serving.list_store import UNPUBLISHED, Pin, trouble_of
from serving.popular_shelf import OVERALL_NAME, Name, PopularShelf
from serving.rungs import Choice, shows_any
from serving.visit import Visit

WHAT = {
    BY_SEGMENT: "popular in the segment",
    BY_REGION: "popular in the region",
    BY_CATEGORY: "popular in the category",
    TRENDING: "trending by the last hour",
}
WHAT_OVERALL = "popular overall"
WHAT_LAST_KNOWN = "the last popular list that this server knows"


class PopularRungs:
    """Chooses among the lists of the shelf."""

    def __init__(self, shelf: PopularShelf) -> None:
        self._shelf = shelf

    def choose(self, pin: Pin, names: Sequence[Name], left_out: LeftOut, deadline: float) -> Choice:
        """The first of these lists that shows anything, else the last known; MissingInput when there is none."""
        emptied = None
        try:
            for name in names:
                found = self._shelf.find(pin, name, deadline)
                if found is not None:
                    choice = Choice(found, WHAT.get(name[0], WHAT_OVERALL), name)
                    if shows_any(found, left_out):
                        return choice
                    emptied = choice
        except HeadraceError as error:
            return self.last_known(trouble_of(error), names[0])
        return emptied or self.last_known(UNPUBLISHED, names[0])

    def last_known(self, trouble: str, name: Name) -> Choice:
        """What this process knows without asking anybody; MissingInput when that is nothing."""
        found = self._shelf.last_known(name)
        if found is None:
            raise MissingInput(f"{trouble}, and this server knows no earlier list; publish an hour, or start Redis")
        return Choice(found, WHAT_LAST_KNOWN, name, trouble)


def by_region(region: str) -> Name:
    """The list of a region, or the overall one when none is named."""
    return (BY_REGION, region) if region else OVERALL_NAME


def names_for(visit: Visit) -> tuple[Name, ...]:
    """Lists near a person, nearest first."""
    near = ((BY_SEGMENT, visit.segment), (BY_REGION, visit.region))
    return (*(name for name in near if name[1]), OVERALL_NAME)
