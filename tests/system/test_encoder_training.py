"""Training with PyTorch, in an environment of its own: what it exports is what it learned, and the same each time."""

import json
import subprocess
from pathlib import Path

import pytest

from models.session_encoder import SessionEncoder

ROOT = Path(__file__).parents[2]
TRAINER = ROOT / "var" / "trainer"
NEAR = 2e-3  # item vectors are kept in fp16


@pytest.mark.system
def test_an_exported_encoder_answers_as_pytorch_does_and_a_second_fit_gives_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([ROOT / "infra" / "trainer.sh", TRAINER], check=True)
    command = [TRAINER / "bin" / "python", "-m", "tests.models.tiny_encoder", tmp_path / "tiny"]
    ended = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["apart"] < NEAR
    assert found["digest"] == found["digest_again"]
    assert found["attention_hits"] >= 28  # of thirty
    assert found["tower_hits"] >= 28
    stored = SessionEncoder.load(tmp_path / "tiny")
    assert stored.save(tmp_path / "again") == found["digest"]
