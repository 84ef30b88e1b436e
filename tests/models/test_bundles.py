"""Bundles: nothing is parsed that was tampered with, and a reader finds a whole bundle at any moment."""

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import BadInput, CorruptData, MissingInput
from contracts.features import FEATURE_ORDER
from models import folders
from models.bundle import MANIFEST_FILE, read_bundle, read_manifest, verify_bundle, write_bundle
from models.candidate_bundle import ARRAYS, CandidateBundle
from models.ranker import NOTES_FILE, RankerBundle

MADE_BY = "a test"
WORD = "word.txt"


def says(word: str) -> Callable[[Path], None]:
    return lambda folder: [(folder / f"{place}.{WORD}").write_text(word) for place in range(3)] and None


def test_a_candidate_bundle_comes_back_as_it_was(bundle: CandidateBundle, tmp_path: Path) -> None:
    digest = bundle.save(tmp_path / "b", {"job": "test"})
    loaded = CandidateBundle.load(tmp_path / "b")
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(bundle, name))
    assert (loaded.items, loaded.categories, loaded.engine) == (bundle.items, bundle.categories, bundle.engine)
    assert bundle.save(tmp_path / "again", {}) == digest == read_manifest(tmp_path / "b", made_by=MADE_BY)["digest"]


def test_a_missing_bundle_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="python -m headrace hour"):
        CandidateBundle.load(tmp_path / "nothing")
    with pytest.raises(MissingInput, match="python -m headrace train"):
        RankerBundle.load(tmp_path / "nothing")


@pytest.mark.parametrize("file", ["item_factors.npy", "popular_rows.npy", "names.json"])
def test_one_changed_byte_is_found(bundle: CandidateBundle, tmp_path: Path, file: str) -> None:
    bundle.save(tmp_path / "b", {})
    path = tmp_path / "b" / file
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptData, match=file):
        CandidateBundle.load(tmp_path / "b")


def test_a_tampered_or_cut_model_never_reaches_lightgbm(ranker: RankerBundle, tmp_path: Path) -> None:
    ranker.save(tmp_path / "r")
    (tmp_path / "r" / "model.txt").write_text(ranker.model_text[:100])
    with pytest.raises(CorruptData, match=r"model\.txt"):
        RankerBundle.load(tmp_path / "r")
    (tmp_path / "r" / "model.txt").unlink()
    with pytest.raises(CorruptData, match="is not there"):
        RankerBundle.load(tmp_path / "r")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {}}', '{"files": {}, "digest": "x"}'])
def test_a_manifest_that_promises_nothing_is_corrupt(ranker: RankerBundle, tmp_path: Path, text: str) -> None:
    ranker.save(tmp_path / "r")
    (tmp_path / "r" / MANIFEST_FILE).write_text(text)
    with pytest.raises(CorruptData):
        RankerBundle.load(tmp_path / "r")


def test_a_ranker_comes_back_with_its_digest(ranker: RankerBundle, tmp_path: Path) -> None:
    digest = ranker.save(tmp_path / "r")
    assert RankerBundle.load(tmp_path / "r") == replace(ranker, digest=digest)


@pytest.mark.parametrize("order", [FEATURE_ORDER[::-1], FEATURE_ORDER[1:], (*FEATURE_ORDER, "moon_phase")])
def test_a_ranker_of_other_features_is_refused(ranker: RankerBundle, tmp_path: Path, order: tuple[str, ...]) -> None:
    def write_files(folder: Path) -> None:
        (folder / "model.txt").write_text(ranker.model_text)
        (folder / NOTES_FILE).write_text(json.dumps({"feature_order": order}))

    write_bundle(tmp_path / "r", write_files, {"label_end_at": "x", "figures": {}})
    with pytest.raises(CorruptData, match="other features"):
        RankerBundle.load(tmp_path / "r")


def test_arrays_that_do_not_fit_each_other_are_refused(bundle: CandidateBundle) -> None:
    with pytest.raises(BadInput, match="item_factors has 299 rows for 300 items"):
        replace(bundle, item_factors=bundle.item_factors[1:])
    with pytest.raises(BadInput, match="popular_rows holds"):
        replace(bundle, popular_rows=np.array([300], np.int32))
    with pytest.raises(BadInput, match="not finite"):
        replace(bundle, item_factors=bundle.item_factors * np.float32(np.nan))


def test_a_failed_writer_leaves_the_old_bundle_and_nothing_else(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", says("old"), {})

    def fail(folder: Path) -> None:
        (folder / WORD).write_text("half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        write_bundle(tmp_path / "b", fail, {})
    assert verify_bundle(tmp_path / "b", made_by=MADE_BY)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_reader_finds_one_whole_bundle_while_it_is_replaced_again_and_again(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", says("word 0"), {})
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    writer = spawn.Process(target=_keep_writing, args=(tmp_path / "b", stop))
    writer.start()
    try:
        seen = set()
        while len(seen) < 20:
            _, contents = read_bundle(tmp_path / "b", [f"{place}.{WORD}" for place in range(3)], made_by=MADE_BY)
            assert len(set(contents.values())) == 1
            seen.update(contents.values())
    finally:
        stop.set()
        writer.join()


def test_without_an_exchange_by_the_kernel_the_new_folder_still_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    for word in ("old", "new"):
        write_bundle(tmp_path / "b", says(word), {})
    assert (tmp_path / "b" / f"0.{WORD}").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def _keep_writing(folder: Path, stop: Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        write_bundle(folder, says(f"word {number}"), {})
        stop.wait(0.005)
