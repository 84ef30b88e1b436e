"""The command `import` says what it did, and in one sentence why it would not."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.errors import BadInput
from headrace.__main__ import app

LINES = "when,who,what\n1769842805,ann,bread\n1769842805,ann,bread\nsoon,ann,bread\n"
MAPPED = ("--column", "occurred_at=when", "--column", "user_id=who", "--column", "item_id=what")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["import", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_counts_and_reasons_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(LINES)
    root = ("--root", str(tmp_path / "var"))
    told = run(str(tmp_path / "*.csv"), *MAPPED, "--constant", "event_type=view", *root)
    assert "events: 3 read = 1 accepted + 1 duplicates + 1 rejected\n  1 rejected: occurred_at is no instant\n" in told
    assert "0 accepted + 2 duplicates + 1 rejected" in run(
        str(tmp_path / "a.csv"), *MAPPED, "--constant", "event_type=view", *root
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "either files or --sample complete-journey"),
        (("a.csv", "--sample", "complete-journey"), "either files or --sample"),
        (("--sample", "other"), "'other' is unknown; there is complete-journey"),
        (("a.csv", "--shift-to-now"), "moves the sample only"),
        (("a.csv", "--kind", "carts"), "carts is unknown; it takes events, items, users"),
        (("a.csv", "--column", "user_id"), "is no pair; write --column user_id=household_id"),
        (("a.csv", "--column", "user_id=a", "--column", "user_id=b"), "names user_id twice"),
        (("nowhere-*.csv",), "nowhere-.* matches no file"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        run(*arguments, "--root", str(tmp_path))
