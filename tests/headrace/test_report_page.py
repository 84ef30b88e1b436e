"""The page, the plots, the JSON and the sentence of an evaluation."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from headrace.evaluate_screen import rows_of
from headrace.report_page import JSON_FILE, write_report
from models.evaluation_report import ALL, NDCG, NEW_USERS, OURS, verdict
from tests.headrace.evaluation_reports import report_where


class Page(HTMLParser):
    """What a browser would show: texts, and how many images."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.images = 0

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.images += tag == "img"


@pytest.mark.parametrize(
    ("ours", "theirs", "opening", "word"),
    [(0.5, 0.3, "Yes: ", "is ahead of"), (0.3, 0.5, "No: ", "is behind"), (0.4, 0.4, "It makes", "cannot be told")],
)
def test_one_sentence_says_whether_to_use_it(ours: float, theirs: float, opening: str, word: str) -> None:
    said = verdict(report_where(ours, theirs))
    assert said.startswith(opening)
    assert word in said
    assert said.count(".") - said.count("0.") <= said.count("%") + 1
    assert "300 people" in said


def test_without_any_other_method_nothing_is_claimed() -> None:
    assert verdict(report_where(0.5, 0.3, modes=())).startswith("Nothing can be said")


def test_the_page_holds_verdict_tables_plots_and_what_was_skipped(tmp_path: Path) -> None:
    report = report_where(0.5, 0.3)
    page = Page()
    page.feed(write_report(report, tmp_path).read_text())
    text = " ".join(page.texts)
    assert verdict(report) in text
    assert "huge: it needs more memory than there is" in text
    assert "peer <1>" in text  # names are shown as they are, whatever signs they have
    plots = sorted(path.name for path in tmp_path.glob("*.png"))
    assert plots == ["accuracy.png", "bands.png", "coverage.png", "history.png", "regions.png"]
    assert page.images == len(plots)
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in plots)


def test_the_json_says_the_same_numbers(tmp_path: Path) -> None:
    report = report_where(0.5, 0.3)
    write_report(report, tmp_path)
    read = json.loads((tmp_path / JSON_FILE).read_text())
    assert read["verdict"] == verdict(report)
    [mode, _] = read["modes"]
    assert mode["methods"][0]["metrics"][NDCG]["mean"] == report.modes[0].ours.metrics[NDCG].mean
    assert mode["methods"][1]["ahead"][NDCG]["low"] > 0


def test_ours_is_the_first_row_and_the_others_follow_by_accuracy() -> None:
    rows = rows_of(report_where(0.2, 0.5).modes[0])
    assert [row[0] for row in rows] == [OURS, "peer <1>", "popularity"]


def test_a_mode_without_anybody_is_said_and_not_drawn(tmp_path: Path) -> None:
    report = report_where(0.5, 0.3, modes=(ALL,))
    empty = type(report.modes[0])(NEW_USERS, 0, report.modes[0].methods, {})
    page = write_report(type(report)(**{**_fields(report), "modes": (*report.modes, empty)}), tmp_path)
    assert "Nobody to measure" in page.read_text()


def _fields(report: object) -> dict[str, object]:
    return {name: getattr(report, name) for name in report.__slots__}  # type: ignore[attr-defined]
