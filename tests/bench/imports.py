"""Time and memory of `import gradcore`, each import in a fresh process."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator

from bootstrap.environment import Checkout
from figure import Figure
from process import quiet_environ
from request import Request

RUNS = 5
PROBE = """
import json, sys, time
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS:"))
is_linux = sys.platform == "linux"
before, start = resident() if is_linux else 0.0, time.perf_counter()
__import__(sys.argv[1])
elapsed = time.perf_counter() - start
print(json.dumps([elapsed * 1e3, resident() - before if is_linux else 0.0]))
"""


def measure(request: Request) -> Iterator[Figure]:
    """Yield time and memory of gradcore's import, and of its neighbours' for comparison."""
    goals = {"gradcore": (100.0, 40.0), "numpy": (None, None), "torch": (None, None)}
    for module, (most_time, most_memory) in goals.items():
        if importlib.util.find_spec(module) is None:
            continue
        samples = [_probe(request.checkout, module) for _ in range(RUNS + 1)][
            1:
        ]  # the first warms the disk
        yield Figure(f"import {module}", [time for time, _ in samples], "ms", most_time)
        if sys.platform == "linux":
            yield Figure(
                f"import {module}: memory", [size for _, size in samples], "MiB", most_memory
            )


def _probe(checkout: Checkout, module: str) -> tuple[float, float]:
    finished = subprocess.run(
        [sys.executable, "-c", PROBE, module],
        cwd=checkout.root,
        env=quiet_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    milliseconds, mebibytes = json.loads(finished.stdout)
    return milliseconds, mebibytes
