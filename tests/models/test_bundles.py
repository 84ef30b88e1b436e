"""Bundles: nothing is parsed that was tampered with, and a reader finds a whole bundle at any moment."""

import json
import multiprocessing
import shutil
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
from models.candidate_bundle import ARRAYS, CODES_FILE, PRICES_FILE, CandidateBundle
from models.item_attributes import AttributeColumn, ItemAttributes
from models.item_filter import ItemFilter
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


def test_attributes_come_back_with_their_bundle_and_the_category_is_one(
    bundle: CandidateBundle, tmp_path: Path
) -> None:
    count = len(bundle.items)
    brands = AttributeColumn((np.arange(count) % 4 - 1).astype(np.int32), ("5", "north", "süd"))
    prices = np.where(np.arange(count) % 3 > 0, np.arange(count) / 2, np.nan)
    described = replace(bundle, attributes=ItemAttributes(prices, {"brand": brands}), described_by="brand")
    described.save(tmp_path / "b", {})
    loaded = CandidateBundle.load(tmp_path / "b")
    assert loaded.retrieval.vectors.tobytes() == described.retrieval.vectors.tobytes()
    assert loaded.described_by == "brand"
    found = loaded.attributes
    np.testing.assert_array_equal(found.prices, prices)
    assert found.columns["brand"].values == brands.values
    np.testing.assert_array_equal(found.columns["brand"].codes, brands.codes)
    np.testing.assert_array_equal(found.columns["category"].codes, bundle.category_codes)
    north = ItemFilter.parse({"and": [{"field": "brand", "equals": "north"}, {"field": "category", "equals": "c1"}]})
    opened = np.flatnonzero(north.open_rows(found))
    assert opened.tolist() == np.flatnonzero((np.arange(count) % 4 == 2) & (bundle.category_codes == 1)).tolist() != []


def test_a_bundle_of_before_attributes_is_still_read(bundle: CandidateBundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "new", {})

    def write_files(folder: Path) -> None:
        for file in (tmp_path / "new").iterdir():
            if file.name not in (MANIFEST_FILE, PRICES_FILE, CODES_FILE):
                shutil.copyfile(file, folder / file.name)

    write_bundle(tmp_path / "old", write_files, read_manifest(tmp_path / "new", made_by=MADE_BY))
    loaded = CandidateBundle.load(tmp_path / "old")
    assert loaded.items == bundle.items
    assert np.isnan(loaded.attributes.prices).all()
    assert list(loaded.attributes.columns) == ["category"]


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
    with pytest.raises(BadInput, match="described by mood"):
        replace(bundle, described_by="mood")
    with pytest.raises(BadInput, match="attributes of 299 items came for 300"):
        replace(bundle, attributes=ItemAttributes(np.zeros(299)))


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
