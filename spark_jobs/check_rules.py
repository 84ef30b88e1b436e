"""What an hour's lists must be before anybody sees them; each rule gives the sentences of what is wrong."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.lake import ITEM_ID, ITEM_IDS, OVERALL, SCOPE, USER_ID
from spark_jobs.flat_lists import FlatLists

OVERLAP_USERS = 20_000  # compared users; the share of some twenty thousand is the share of all


def broken_lists(name: str, flat: FlatLists, *, known: pa.Array, longest: int) -> Iterator[str]:
    """Rules that any list obeys: as many scores as items, not too long, no item twice, known, best first."""
    if flat.mismatched:
        yield f"{name}: {flat.mismatched} lists have another number of scores than of items"
        return
    too_long = int((flat.lengths > longest).sum())
    findings = (
        (too_long, f"are longer than {longest} items"),
        (flat.with_duplicates, "hold an item twice"),
        (flat.badly_scored, "have scores that are not finite or not best first"),
        (flat.with_unknown(known), "hold an item that the hour does not know"),
    )
    for count, what in findings:
        if count:
            yield f"{name}: {count} of {len(flat.lengths)} lists {what}"


def broken_users(lists: pa.Table, head: pa.Table) -> Iterator[str]:
    """Every user of the head has one list, and nobody else has one."""
    users, wanted = lists.column(USER_ID), head.column(USER_ID)
    doubled = len(users) - pc.count_distinct(users).as_py()
    strangers = len(users) - pc.sum(pc.is_in(users, wanted.combine_chunks())).as_py() if len(users) else 0
    if doubled:
        yield f"lists: {doubled} users have more than one list"
    if strangers:
        yield f"lists: {strangers} users are not of the head"


def broken_popular(popular: pa.Table) -> Iterator[str]:
    """There is one overall list, and it is not empty: it answers for everybody without a list."""
    overall = popular.filter(pc.equal(popular.column(SCOPE), OVERALL))
    if overall.num_rows != 1 or not len(overall.column(ITEM_IDS)[0]):
        yield f"popular: {overall.num_rows} overall lists; exactly one with items is needed"


def broken_similar(similar: pa.Table, flat: FlatLists) -> Iterator[str]:
    """No item is similar to itself."""
    if own := flat.with_own(similar.column(ITEM_ID)):
        yield f"similar: {own} lists hold the item they are about"


def coverage(flat: FlatLists, *, head_count: int, full: int) -> float:
    """Share of the head's users who have a list of at least `full` items; 1 without a head."""
    return float((flat.lengths >= full).sum()) / head_count if head_count else 1.0


def overlap(new: pa.Table, served: pa.Table) -> float | None:
    """Mean share of a user's served items that the new list keeps, over users with both; None when nothing served.

    0 when no user has both, so that a version about other people altogether does not pass.
    """
    served = served.filter(pc.greater(pc.list_value_length(served.column(ITEM_IDS)), 0))
    if not served.num_rows:
        return None
    both = served.filter(pc.is_in(served.column(USER_ID), new.column(USER_ID).combine_chunks()))
    both = both.sort_by(USER_ID).slice(0, OVERLAP_USERS)
    if not both.num_rows:
        return 0.0
    row_of = pc.index_in(both.column(USER_ID), new.column(USER_ID).combine_chunks())
    fresh, old = FlatLists.of(new.take(row_of)), FlatLists.of(both)
    code_in_fresh = pc.fill_null(pc.index_in(old.items, fresh.items), -1).to_numpy(zero_copy_only=False)
    width = max(len(fresh.items), 1)
    wanted = old.list_of * width + code_in_fresh[old.codes]
    kept = np.isin(wanted, fresh.list_of * width + fresh.codes) & (code_in_fresh[old.codes] >= 0)
    return float((np.bincount(old.list_of[kept], minlength=both.num_rows) / old.lengths).mean())
