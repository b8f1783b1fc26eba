"""Whole models as people train them, without a fault: no rule may say a word about them."""

from pathlib import Path

import pytest

SOUND = sorted((Path(__file__).parent / "sound").glob("*.py"))


@pytest.mark.parametrize("path", SOUND, ids=[path.stem for path in SOUND])
def test_sound_model_is_silent(judge, path: Path) -> None:
    assert [(f.rule, f.where) for f in judge(path.read_text("utf-8"), steps=6)] == []
