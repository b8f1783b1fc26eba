"""Memory that a step frees is there for the next one, without asking the system again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradcore.tensor import heap

CORE = Path(__file__).parents[3] / "core"
STEPS = """
import resource
import gradcore
def step():
    kept = [gradcore.ones(1 << 19) for _ in range(24)]
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**more: str) -> int:
    """Return how many pages the system had to give to five steps of 48 MiB each."""
    environ = {**os.environ, "PYTHONPATH": str(CORE), **more}
    done = subprocess.run(
        [sys.executable, "-c", STEPS], env=environ, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="other C libraries have no such setting")
def test_a_step_takes_the_memory_that_the_last_one_freed() -> None:
    assert faults() < 1000


def test_a_setting_of_the_user_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")
    assert heap.keep_freed_memory() is False
