"""Native mode comes by itself where numba is there, and is a message where it is not."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
TRAINING = """
    import gradcore
    layer = gradcore.nn.Linear(3, 2)
    optimizer = gradcore.optim.SGD(layer.parameters(), lr=0.1)
    x = gradcore.ones(4, 3)

    def step():
        optimizer.zero_grad()
        loss = layer(x).pow(2).sum()
        loss.backward()
        optimizer.step()
        return loss
"""
NO_NUMBA = """
    import sys

    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in ("numba", "llvmlite"):
                raise ImportError(f"No module named {name!r}")

    sys.meta_path.insert(0, Blocker())
"""
OLD_NUMBA = """
    import sys, types
    sys.modules["numba"] = types.ModuleType("numba")
    sys.modules["numba"].__version__ = "0.53.1"
"""
BROKEN_NUMBA = """
    import sys, types
    sys.modules["numba"] = types.ModuleType("numba")
    sys.modules["numba"].__version__ = "99.0"
"""


def run(*parts: str, **environment: str) -> str:
    """Run Python source in a process of its own; returns what it printed."""
    source = "\n".join(textwrap.dedent(part) for part in parts)
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={"PYTHONPATH": str(ROOT / "core"), "PATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("numba", "message"),
    [
        (NO_NUMBA, "numba cannot be used: No module named 'numba'"),
        (OLD_NUMBA, "numba 0.53.1 is too old, it must be 0.60 or newer"),
        (BROKEN_NUMBA, "numba cannot be used"),
    ],
    ids=["missing", "old", "broken"],
)
def test_without_numba_steps_are_replayed_and_the_report_says_why(numba, message) -> None:
    end = "step = gradcore.compile(step, mode='native')\nfor _ in range(6): step()\n"
    told = run(numba, TRAINING, end, "print(step.mode, step.report)")
    assert told.startswith("replay ")
    assert message in told


def test_auto_mode_goes_without_a_word_where_there_is_no_numba() -> None:
    end = "step = gradcore.compile(step)\nfor _ in range(40): step()\n"
    told = run(NO_NUMBA, TRAINING, end, "print(step.mode, step.report)")
    assert told.startswith("replay replayed 3") and ":" not in told


def test_importing_gradcore_and_replaying_load_no_numba() -> None:
    end = "step = gradcore.compile(step, mode='replay')\nfor _ in range(40): step()\n"
    assert run(TRAINING, end, "import sys; print('numba' in sys.modules)").strip() == "False"


def test_the_environment_keeps_numba_out_of_auto_mode() -> None:
    pytest.importorskip("numba")
    end = "step = gradcore.compile(step)\nfor _ in range(40): step()\n"
    told = run(TRAINING, end, "import sys; print('numba' in sys.modules)", GRADCORE_NATIVE="0")
    assert told.strip() == "False"


def test_auto_mode_becomes_native_by_itself() -> None:
    pytest.importorskip("numba")
    wait = """
        import time
        step = gradcore.compile(step)
        end = time.monotonic() + 100
        while step.mode != "native" and time.monotonic() < end:
            step()
        print(step.mode)
    """
    assert run(TRAINING, wait).strip() == "native"
