"""Settings: code, .env.example and docs/settings.md say the same, and mistakes are named."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from contracts.errors import BadInput
from contracts.event_weights import parse_event_weights
from contracts.settings import ENV_PREFIX, Settings, read_settings

ROOT = Path(__file__).parents[2]
EXPECTED = {ENV_PREFIX + f.name.upper(): (str(f.default), f.metadata["doc"]) for f in fields(Settings)}


def test_env_example_has_the_default_and_the_sentence_of_every_setting() -> None:
    text = (ROOT / ".env.example").read_text()
    found = {name: (value, doc) for doc, name, value in re.findall(r"^# (.+)\n#(HEADRACE_\w+)=(.*)$", text, re.M)}
    assert found == EXPECTED


def test_docs_page_has_a_row_for_every_setting() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    rows = {n: (v, d) for n, v, d in re.findall(r"^\| `(HEADRACE_\w+)` \| (?:`(.*?)`|empty) \| (.+) \|$", text, re.M)}
    assert rows == EXPECTED


def test_an_unknown_setting_names_near_ones() -> None:
    with pytest.raises(BadInput, match="HEADRACE_HEAD_SHARE"):
        read_settings({"HEADRACE_HEADSHARE": "0.3"})


def test_a_value_of_the_wrong_kind_says_what_it_takes() -> None:
    with pytest.raises(BadInput, match=r"HEADRACE_LIST_SIZE is 'many'; it takes a int, such as 50"):
        read_settings({"HEADRACE_LIST_SIZE": "many"})
    with pytest.raises(BadInput, match="write true or false"):
        read_settings({"HEADRACE_ACCESS_LOG": "yes please"})


def test_values_are_read_in_their_own_types_and_others_are_left_alone() -> None:
    settings = read_settings({"HEADRACE_HEAD_SHARE": "0.3", "HEADRACE_ROOT": "/x", "PATH": "/bin"})
    assert (settings.head_share, settings.root, settings.list_size) == (0.3, Path("/x"), 50)


def test_event_weights_are_pairs() -> None:
    assert parse_event_weights("view=1, purchase=8.5") == {"view": 1.0, "purchase": 8.5}
    with pytest.raises(BadInput, match="purchase"):
        parse_event_weights("purchase")


@pytest.mark.parametrize(
    ("name", "value"), [("HEADRACE_HEAD_SHARE", "1.5"), ("HEADRACE_LIST_SIZE", "0"), ("HEADRACE_ALS_ENGINE", "magic")]
)
def test_impossible_values_are_refused(name: str, value: str) -> None:
    with pytest.raises(BadInput, match=name):
        read_settings({name: value})
