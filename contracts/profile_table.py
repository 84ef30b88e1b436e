"""Profiles in PostgreSQL: one table an hour, `user_id` and the record of models.profile_record."""

import re

SCHEMA = "headrace"
TABLE_NOTE = "table"  # of the manifest of an hour's profiles, where they lie in a table
_NAME = re.compile(r"profiles_(\d{4})(\d\d)(\d\d)t(\d\d)(_new)?")


def table_of(interval_key: str) -> str:
    """Name of an hour's table in SCHEMA."""
    return f"profiles_{interval_key.replace('-', '').lower()}"


def interval_of(table: str) -> str:
    """The hour that a table, finished or not, is of; "" for a table of something else."""
    found = _NAME.fullmatch(table)
    return "{}-{}-{}T{}".format(*found.groups()[:4]) if found else ""
