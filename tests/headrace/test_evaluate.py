"""A whole evaluation of the corner shop: jobs, request path, peers, measures; and what the command line refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from contracts.errors import BadInput
from contracts.settings import Settings
from headrace.__main__ import app
from headrace.evaluate import chosen_peers
from headrace.evaluate_data import read_source
from headrace.evaluate_run import Plan, Run, evaluate
from headrace.evaluate_spark_als import NAME as SPARK_ALS
from models.evaluation_report import ALL, BAND, HIT, NDCG, NEW_USERS, NOVEL, OURS, Report, verdict
from models.peers.histories import Histories
from models.peers.peer import Recommender
from tests.worlds import corner_shop, small_settings

PEERS = ("popularity", "personal frequency", SPARK_ALS)


def unheard(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def stumbling(past: Histories) -> Recommender:
    raise RuntimeError("out of luck")


@pytest.fixture(scope="module")
def report(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """One evaluation with people held out, so that some are new, and a peer that fails."""

    @contextmanager
    def running(settings: Settings) -> Iterator[SparkSession]:
        yield spark

    root = corner_shop().write(tmp_path_factory.mktemp("shop"))
    settings = small_settings(root / "scratch")
    peers = dict(chosen_peers(",".join(PEERS), [])) | {"stumbling": stumbling}
    plan = Plan(peers, split="0.8", reveal=2, hold_out=0.2)
    source = read_source(root / "lake", settings)
    return evaluate(source, "corner shop", plan, settings=settings, run=Run(unheard), application=running)


@pytest.mark.spark
def test_lists_of_the_production_path_are_right_where_right_is_known_by_eye(report: Report) -> None:
    everyone = next(mode for mode in report.modes if mode.mode == ALL)
    assert everyone.ours.name == OURS
    assert everyone.ours.metrics[NDCG].mean > 0.9  # people buy their five things again and again
    assert everyone.ours.metrics[HIT].mean == 1.0
    assert [one.name for one in everyone.methods] == [OURS, *PEERS]


@pytest.mark.spark
def test_all_modes_and_bands_are_there(report: Report) -> None:
    sizes = {mode.mode: mode.users for mode in report.modes}
    assert list(sizes) == [ALL, NOVEL, NEW_USERS]
    assert sizes[ALL] + int(report.facts["people held out"]) == 12
    assert sizes[NOVEL] == 0  # nobody in this town ever buys a new thing
    assert sizes[NEW_USERS] == report.facts["people held out"] > 0
    assert sum(report.modes[0].group_sizes[BAND].values()) == sizes[ALL]


@pytest.mark.spark
def test_new_people_get_lists_of_their_taste_after_two_items(report: Report) -> None:
    new = next(mode for mode in report.modes if mode.mode == NEW_USERS)
    popular = next(one for one in new.methods if one.name == "popularity")
    assert new.ours.metrics[NDCG].mean >= popular.metrics[NDCG].mean


@pytest.mark.spark
def test_a_peer_that_fails_is_named_and_takes_nothing_with_it(report: Report) -> None:
    assert [(one.name, one.why) for one in report.skipped] == [("stumbling", "it failed: out of luck")]
    assert verdict(report).endswith(".")
    assert np.isfinite(report.modes[0].ours.metrics[NDCG].low)


def test_peers_are_named_or_all_or_none() -> None:
    assert list(chosen_peers("none", [])) == []
    assert SPARK_ALS in chosen_peers("all", [])
    assert list(chosen_peers("EASE, popularity", ["tests.headrace.test_evaluate:stumbling"])) == [
        "EASE",
        "popularity",
        "tests.headrace.test_evaluate:stumbling",
    ]
    with pytest.raises(BadInput, match="there are popularity"):
        chosen_peers("magic", [])


def test_the_command_refuses_an_unknown_mode_and_an_empty_lake(tmp_path: Path) -> None:
    for arguments, words in ((["--mode", "best"], "it takes all, novel, both"), ([], "headrace import")):
        said = CliRunner().invoke(app, ["evaluate", "--root", str(tmp_path), *arguments])
        assert said.exit_code != 0
        assert words in str(said.exception)
