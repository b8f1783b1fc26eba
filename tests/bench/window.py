"""The window from outside: `python3 gui` as a user starts it, with a probe in its event loop.

It runs on the display there is, else under Xvfb, else offscreen; each figure says which.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bootstrap.environment import Checkout
from figure import Figure
from process import quiet_environ
from request import Request

EXAMPLE = "digits_mlp"
RUNS = 3
SECONDS = 10.0
INJECT = Path(__file__).parent / "inject"


def measure(request: Request) -> Iterator[Figure]:
    """Yield start times, stalls, memory and speed of the window with the digits training."""
    with screen() as (environ, where):
        _run(request.checkout, environ, 0.5)  # warms the disk
        # In turns, so that what else the machine does meets both.
        checkout = request.checkout
        pairs = [(_run(checkout, environ, SECONDS), _headless(checkout)) for _ in range(RUNS)]
    told, alone = [one for one, _ in pairs], [other for _, other in pairs]
    yield Figure("window visible", [one["visible"] for one in told], "s", 0.5, note=where)
    yield Figure("window usable", [one["usable"] for one in told], "s", 1.0)
    yield Figure("first moving curve", [one["curve"] for one in told], "s", 5.0)
    longest = [one["gaps"][-1] * 1e3 for one in told]
    yield Figure(f"longest stall in {SECONDS:g} s of training", longest, "ms", 50.0)
    if sys.platform == "linux":
        resident = [one["resident"] for one in told]
        yield Figure("memory of the window process", resident, "MiB", 250.0)
    speeds = [one["steps_per_second"] for one in told]
    yield Figure(f"{EXAMPLE}: steps a second, window open", speeds, "1/s")
    yield Figure(f"{EXAMPLE}: steps a second, headless", alone, "1/s")
    ratios = [one / other for one, other in zip(speeds, alone, strict=True)]
    yield Figure("window open against headless", ratios, "x", 0.97, at_least=True)


@contextlib.contextmanager
def screen() -> Iterator[tuple[dict[str, str], str]]:
    """Give the environment of a process with a screen, and the name of that screen."""
    chosen = os.environ.get("QT_QPA_PLATFORM")
    if chosen or os.environ.get("DISPLAY") or sys.platform != "linux":
        yield {}, chosen or "this display"
        return
    if not (server := shutil.which("Xvfb")):
        yield {"QT_QPA_PLATFORM": "offscreen"}, "offscreen"
        return
    read, write = os.pipe()
    command = [server, "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as process:
        os.close(write)
        try:
            with os.fdopen(read) as display:
                number = display.readline().strip()
            yield {"DISPLAY": f":{number}"}, "Xvfb 1280x800"
        finally:
            process.terminate()


def _run(checkout: Checkout, screen_environ: dict[str, str], seconds: float) -> dict[str, Any]:
    """Start the window, let the example train for ``seconds``, and return what the probe saw."""
    with tempfile.TemporaryDirectory(prefix="paramscope-bench-") as scratch:
        plan = {
            "file": str(Path(scratch, "told.json")),
            "example": EXAMPLE,
            "seconds": seconds,
            "start": time.monotonic(),
        }
        homes = dict.fromkeys(("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"), scratch)
        environ = quiet_environ(
            PARAMSCOPE_BENCH=json.dumps(plan), PYTHONPATH=str(INJECT), **homes, **screen_environ
        )
        command = [sys.executable, str(checkout.root / "gui")]
        subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, check=True)
        told: dict[str, Any] = json.loads(Path(plan["file"]).read_text())
    if "gave_up_in" in told:
        raise RuntimeError(f"the window did not get past {told['gave_up_in']}: {told}")
    return told


def _headless(checkout: Checkout) -> float:
    command = [sys.executable, str(INJECT / "headless_run.py"), EXAMPLE, str(SECONDS)]
    finished = subprocess.run(
        command, env=quiet_environ(), capture_output=True, text=True, check=True
    )
    return float(finished.stdout)
