"""The note of an hour's models: written at once, and read only when it names what it should."""

from pathlib import Path

import pytest

from contracts.errors import CorruptData, MissingInput
from contracts.serving_model import (
    ServingModel,
    named_intervals,
    read_serving_model,
    serving_file,
    write_serving_model,
)
from contracts.settings import Layout

KEY = "2026-01-31T07"
MODEL = ServingModel(KEY, KEY, "2026-01-31T00", "", KEY)


def test_what_was_written_is_read_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    write_serving_model(Layout(tmp_path), MODEL)
    write_serving_model(Layout(tmp_path), MODEL)
    assert read_serving_model(Layout(tmp_path), KEY) == MODEL
    assert [file.name for file in Layout(tmp_path).serving_models.iterdir()] == [f"{KEY}.json"]
    assert named_intervals(Layout(tmp_path)) == [KEY] and MODEL.as_of_at == 1_769_846_400


def test_an_hour_without_models_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=f"headrace hour {KEY}"):
        read_serving_model(Layout(tmp_path), KEY)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "7", '{"interval": "2026-01-31T07"}',
        '{"interval":"2026-01-31T07","candidates":"../x","ranker":"a","session":"","profiles":"a"}',
        '{"interval":"2026-01-31T08","candidates":"a","ranker":"a","session":"","profiles":"a"}',
        '{"interval":"2026-01-31T07","candidates":1,"ranker":"a","session":"","profiles":"a"}',
        '{"interval":"2026-01-31T07","candidates":"","ranker":"a","session":"","profiles":"a"}',
    ],
)  # fmt: skip
def test_a_note_that_names_something_else_is_refused(tmp_path: Path, text: str) -> None:
    file = serving_file(Layout(tmp_path), KEY)
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(CorruptData, match="names no models"):
        read_serving_model(Layout(tmp_path), KEY)


def test_folders_are_those_of_the_layout(tmp_path: Path) -> None:
    layout, with_session = Layout(tmp_path), ServingModel(KEY, "c", "r", "s", "p")
    assert MODEL.session_folder(layout) is None and with_session.session_folder(layout) == layout.sessions / "s"
    folders = [with_session.candidates_folder(layout), with_session.ranker_folder(layout)]
    assert folders == [layout.candidates / "c", layout.rankers / "r"]
    assert with_session.profiles_folder(layout) == layout.profiles / "p"
