"""Profiles come back from bytes and from a file as they were, and never as something else."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import BadInput, CorruptData, MissingInput, StoreUnavailable
from contracts.features import USER_STATS
from contracts.user_state import MAX_PROFILE_ITEMS
from models.bundle import read_manifest
from models.profile import Profile
from models.profile_file import FILE, MADE_BY, ProfileFile, write_profile_file
from models.profile_record import decode_profile, encode_profile
from models.user_state import OwnItems
from tests.models.small_world import own_items

ANN = Profile(own_items(["bread", "flour"]), np.arange(float(len(USER_STATS))))
LARGE = st.integers(-(2**62), 2**62)
SMALL = st.integers(-(2**31), 2**31 - 1)
ROW = st.tuples(st.text(min_size=1), LARGE, SMALL, SMALL, SMALL, LARGE, LARGE, LARGE)


def profile_of(rows: list[tuple[str, int, int, int, int, int, int, int]], stats: list[float]) -> Profile:
    ids, weight, events, purchases, recent, first, last, value = zip(*rows, strict=True) if rows else [()] * 8
    small = [np.array(column, np.int32) for column in (events, purchases, recent)]
    large = [np.array(column, np.int64) for column in (first, last, value)]
    return Profile(OwnItems(tuple(ids), np.array(weight, np.int64), *small, *large), np.array(stats))


def same(one: Profile, other: Profile) -> bool:
    pairs = [(getattr(one.own, name), getattr(other.own, name)) for name in OwnItems.__slots__]
    pairs.append((one.user_stats.view(np.int64), other.user_stats.view(np.int64)))
    return all(np.array_equal(a, b) and getattr(a, "dtype", None) == getattr(b, "dtype", None) for a, b in pairs)


def written(folder: Path, people: dict[str, Profile]) -> ProfileFile:
    write_profile_file(folder, ((user, encode_profile(people[user])) for user in sorted(people)), {})
    return ProfileFile.open(folder)


@given(
    rows=st.lists(ROW, max_size=30, unique_by=lambda row: row[0]),
    stats=st.lists(st.floats(), min_size=len(USER_STATS), max_size=len(USER_STATS)),
)
def test_a_profile_comes_back_from_its_bytes(rows: list[tuple[str, ...]], stats: list[float]) -> None:
    profile = profile_of(rows, stats)
    assert same(decode_profile(encode_profile(profile)), profile)


@given(place=st.integers(0, 400), change=st.integers(1, 255))
def test_no_changed_byte_goes_unseen(place: int, change: int) -> None:
    record = bytearray(encode_profile(ANN))
    record[place % len(record)] ^= change
    with pytest.raises(CorruptData, match="cannot be read"):
        decode_profile(bytes(record))


def test_a_full_profile_takes_some_thirty_bytes_an_item() -> None:
    full = own_items([f"{1_000_000 + number}" for number in range(MAX_PROFILE_ITEMS)])
    assert len(encode_profile(Profile(full, ANN.user_stats))) < 30 * MAX_PROFILE_ITEMS


def test_people_are_found_by_their_ids_and_strangers_are_not(tmp_path: Path) -> None:
    people = {
        name: Profile(ANN.own, np.full(len(USER_STATS), float(n))) for n, name in enumerate(["Ann", "ann", "änn"])
    }
    profiles = written(tmp_path / "p", people)
    assert all(same(profiles.read(user), profile) for user, profile in people.items())
    assert [profiles.read(user) for user in ("", "an", "ann ", "ann\x00")] == [None] * 4
    profiles.close()


def test_the_same_people_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        written(tmp_path / name, {"ann": ANN, "bob": Profile()}).close()
    one, two = (read_manifest(tmp_path / name, made_by=MADE_BY) for name in ("one", "two"))
    assert one["digest"] == two["digest"] and one["people"] == 2


def test_nobody_comes_twice(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="twice"):
        write_profile_file(tmp_path / "p", [("ann", b"1"), ("ann", b"2")], {})
    assert not (tmp_path / "p").exists()


def test_a_damaged_record_is_an_error_for_that_person_alone(tmp_path: Path) -> None:
    damaged = bytearray(encode_profile(ANN))
    damaged[-1] ^= 1
    write_profile_file(tmp_path / "p", [("ann", bytes(damaged)), ("bob", encode_profile(ANN))], {})
    profiles = ProfileFile.open(tmp_path / "p")
    with pytest.raises(StoreUnavailable, match="'ann'"):
        profiles.read("ann")
    assert same(profiles.read("bob"), ANN)
    profiles.close()


def test_a_file_that_is_cut_short_is_not_opened(tmp_path: Path) -> None:
    written(tmp_path / "p", {"ann": ANN}).close()
    with (tmp_path / "p" / FILE).open("r+b") as file:
        file.truncate(4096)
    with pytest.raises(CorruptData, match="should have"):
        ProfileFile.open(tmp_path / "p")


def test_profiles_that_were_never_made_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="headrace hour"):
        ProfileFile.open(tmp_path / "p")


def test_a_file_stays_readable_when_it_is_replaced_or_removed(tmp_path: Path) -> None:
    profiles = written(tmp_path / "p", {"ann": ANN})
    written(tmp_path / "p", {"bob": ANN}).close()
    assert same(profiles.read("ann"), ANN) and profiles.read("bob") is None
    profiles.close()
