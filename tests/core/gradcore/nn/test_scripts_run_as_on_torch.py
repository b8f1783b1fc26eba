"""Scripts in the style of public repositories print on gradcore what they print on PyTorch."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))
CORE = Path(__file__).parents[4] / "core"
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def run(command: list[str], script: Path) -> str:
    done = subprocess.run(
        [sys.executable, *command, str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CORE)},
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_runs_and_prints_what_it_prints_on_torch(script: Path) -> None:
    printed = run(["-m", "gradcore"], script)
    assert printed
    if importlib.util.find_spec("torch") is None:
        return
    expected = run([], script)
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected)
    own, theirs = (list(map(float, NUMBER.findall(text))) for text in (printed, expected))
    assert own == pytest.approx(theirs, rel=0.01, abs=0.02)
