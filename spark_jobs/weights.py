"""Users × items weights of an interval, as every factorisation and fold-in of the batch reads them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from contracts.features import USER_STATS_TABLE
from contracts.lake import INTERACTIONS, ITEM_ID, USER_ID, WEIGHT, WEIGHT_SCALE
from models.id_map import UNKNOWN_ROW, IdMap
from models.tables import read_partition
from spark_jobs.context import JobContext


def some_users(context: JobContext, count: int) -> list[str]:
    """Up to `count` of the interval's users, taken evenly over all in the order of ids."""
    users = read_partition(USER_STATS_TABLE, context.tables, context.key, columns=[USER_ID])[USER_ID].sort()
    places = np.unique(np.linspace(0, max(len(users) - 1, 0), min(count, len(users))).astype(np.int64))
    return list(users.take(pa.array(places)).to_pylist())


def read_weights(context: JobContext, items: IdMap, only: Sequence[str] | None = None) -> tuple[IdMap, csr_matrix]:
    """Users of the interval's interactions, and float32 users × items weights; unknown items are left out.

    All users, or those of `only`, whose rows alone are read then.
    """
    where = None if only is None else ds.field(USER_ID).isin(list(only))
    columns = [USER_ID, ITEM_ID, WEIGHT]
    pairs = read_partition(INTERACTIONS, context.tables, context.key, columns=columns, where=where)
    user_codes, user_ids = _coded(pairs[USER_ID])
    item_codes, item_ids = _coded(pairs[ITEM_ID])
    users = IdMap.of(user_ids)
    user_rows, item_rows = users.rows(user_ids)[user_codes], items.rows(item_ids)[item_codes]
    weights = (pairs[WEIGHT].to_numpy() / WEIGHT_SCALE).astype(np.float32)
    known = item_rows != UNKNOWN_ROW
    matrix = csr_matrix((weights[known], (user_rows[known], item_rows[known])), shape=(len(users), len(items)))
    matrix.sort_indices()
    return users, matrix


def _coded(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    coded = column.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    return coded.indices.to_numpy(), coded.dictionary.to_pylist()
