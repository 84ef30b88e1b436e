"""Placements are read strictly: what is misspelt or contradicts itself is refused by name."""

from dataclasses import replace
from pathlib import Path

import pytest

from contracts.errors import BadInput
from contracts.settings import Settings
from serving.placements import read_placements
from tests.serving.conftest import OpenApp

GOOD = """
default = "shelf"
[shelf]
intent = "What is good"
personal = true
sources = ["head"]
fields = ["list"]
"""


def write(folder: Path, text: str) -> str:
    file = folder / "placements.toml"
    file.write_text(text)
    return str(file)


def test_the_shipped_placements_hand_the_default_through() -> None:
    shipped = read_placements("")
    assert {"home", "up_next", "search", "item_page", "cart"} <= set(shipped.by_name)
    assert shipped.default.name == "home"
    assert shipped.default.hands_bytes_through
    assert shipped.default.asks and shipped.default.session
    assert not shipped.named("search").personal
    assert not shipped.named("email").asks


def test_a_file_of_ones_own_takes_their_place(tmp_path: Path) -> None:
    placements = read_placements(write(tmp_path, GOOD))
    assert list(placements.by_name) == ["shelf"]
    assert placements.default.sources == {"head"}


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("intent =", "intend =", "key of placement shelf is 'intend', which is unknown; near ones are intent"),
        ('["head"]', '["haed"]', "source of placement shelf is 'haed', which is unknown; near ones are head"),
        ('["list"]', '["lists"]', "field of placement shelf is 'lists', which is unknown; near ones are list"),
        ("personal = true", "personal = false", "not personal, but uses list"),
        ("personal = true", 'personal = "yes"', "personal = 'yes'; write true or false"),
        ('["list"]', "[]", "source head, but may not use the field list"),
        ('["head"]', '["head", "on_demand"]', "source on_demand, but uses neither history nor session"),
        (
            '["list"]',
            '["list"]\nsession = true',
            "session = true; that takes the source on_demand and the field session",
        ),
        ('["list"]', '["list"]\nsession = 1', "session = 1; write true or false"),
        ('fields = ["list"]', 'fields = ["list"]\nlimit = 501', "limit = 501; it takes 1 to 500"),
        ('intent = "What is good"', "", "lacks intent"),
        ('default = "shelf"', 'default = "attic"', "default placement is 'attic'; it takes one of shelf"),
        ('default = "shelf"', 'default = "shelf"\nhome = 3', "'home' outside a table"),
        ("[shelf]", "[shelf", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read_placements(write(tmp_path, GOOD.replace(before, after)))
    assert complaint in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.toml cannot be read"):
        read_placements(str(tmp_path / "nowhere.toml"))


def test_a_default_that_is_not_whole_goes_through_flask(
    tmp_path: Path, settings: Settings, lists: object, open_app: OpenApp
) -> None:
    file = write(tmp_path, GOOD.replace('fields = ["list"]', 'fields = ["list"]\nlimit = 2'))
    client = open_app(replace(settings, placements_file=file)).test_client()
    assert len(client.get("/v1/recommendations/ada").get_json()["items"]) == 2
