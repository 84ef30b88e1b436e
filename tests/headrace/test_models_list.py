"""Bundles are listed and compared by their manifests alone."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.errors import MissingInput
from headrace.__main__ import app
from headrace.model_notes import find_note
from models.bundle import write_bundle


def put_ranker(root: Path, key: str, *, ndcg: float, features: tuple[str, ...] = ("own_count", "als_score")) -> None:
    def write_files(folder: Path) -> None:
        (folder / "model.txt").write_text("tree\n" * round(ndcg * 1000))
        (folder / "ranker.json").write_text(json.dumps({"feature_order": features}))

    write_bundle(root / "bundles" / "ranker" / key, write_files, {"label_end_at": key, "figures": {"ndcg": ndcg}})


def put_candidates(root: Path, key: str) -> None:
    write_bundle(
        root / "bundles" / "candidates" / key, lambda f: (f / "names.json").write_text("{}") and None, {"n": 7}
    )


def run(root: Path, *words: str) -> str:
    """Output of `models WORDS`, or the error that it raised."""
    result = CliRunner().invoke(app, ["models", *words, "--root", str(root)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_both_kinds_are_listed_with_figures(tmp_path: Path) -> None:
    put_ranker(tmp_path, "2026-01-30T00", ndcg=0.25)
    put_candidates(tmp_path, "2026-01-31T07")
    (tmp_path / "bundles" / "ranker" / "2026-01-31T00").mkdir()
    lines = run(tmp_path, "list").splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["ranker/2026-01-30T00", "candidates/2026-01-31T07"]
    assert "ndcg 0.25, 2 features" in lines[1]


def test_two_rankers_are_compared_in_figures_features_and_sizes(tmp_path: Path) -> None:
    put_ranker(tmp_path, "2026-01-29T00", ndcg=0.2, features=("als_score", "own_share"))
    put_ranker(tmp_path, "2026-01-30T00", ndcg=0.25)
    output = run(tmp_path, "diff")
    assert "+0.05 (+25.0%)" in output
    assert "feature own_share" in output
    assert "feature own_count" in output
    assert "+250 (+25.0%)" in output


def test_a_changed_order_alone_is_seen(tmp_path: Path) -> None:
    put_ranker(tmp_path, "2026-01-29T00", ndcg=0.2, features=("als_score", "own_count"))
    put_ranker(tmp_path, "2026-01-30T00", ndcg=0.2)
    assert "order of features" in run(tmp_path, "diff", "2026-01-29T00", "ranker/2026-01-30T00")


def test_a_bundle_and_itself_have_the_same_bytes(tmp_path: Path) -> None:
    put_candidates(tmp_path, "2026-01-31T07")
    name = "candidates/2026-01-31T07"
    assert "same bytes" in run(tmp_path, "diff", name, name)


def test_an_unknown_name_is_told_what_there_is(tmp_path: Path) -> None:
    put_ranker(tmp_path, "2026-01-30T00", ndcg=0.2)
    with pytest.raises(MissingInput, match="ranker/2026-01-30T00"):
        find_note(tmp_path, "candidates/2026-01-30T00")
    with pytest.raises(MissingInput, match="two are needed"):
        run(tmp_path, "diff")
    with pytest.raises(MissingInput, match="no bundles"):
        run(tmp_path / "empty", "list")
