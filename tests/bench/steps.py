"""Time of one training step on gradcore, as a ratio to PyTorch where it is installed.

One thread, CPU time, the two interleaved in one process, the same data and weights; the losses
after the same number of steps must agree, else the figure says that they don't.
"""

import importlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from threadpoolctl import threadpool_limits

from bootstrap.environment import Checkout
from figure import Figure
from workloads import WORKLOADS

CHECKED_STEPS = 20
ROUNDS = 9
SECONDS = 0.12  # of CPU time a round and library


def measure(checkout: Checkout) -> Iterator[Figure]:
    """Yield for each workload the time of a step and its ratio to PyTorch's."""
    ours, theirs = importlib.import_module("gradcore"), load_torch()
    with threadpool_limits(1):
        for name, workload in WORKLOADS.items():
            our = workload(ours)
            their = workload(theirs) if theirs else None
            losses = [our.step() for _ in range(CHECKED_STEPS)]
            note = ""
            if their:
                expected = [their.step() for _ in range(CHECKED_STEPS)]
                gap = max(
                    abs(a - b) / max(abs(b), 1e-6) for a, b in zip(losses, expected, strict=True)
                )
                note = f"losses agree to {gap:.0e}" if gap < 1e-3 else f"LOSSES DIFFER by {gap:.0e}"
            pairs = [
                (cpu_time(our.step), cpu_time(their.step) if their else 0.0) for _ in range(ROUNDS)
            ]
            yield Figure(name, [mine * 1e6 for mine, _ in pairs], "us", note=note)
            if their:
                ratios = [mine / other for mine, other in pairs]
                yield Figure(f"{name}: to torch", ratios, "x", goal=workload.goal)


def load_torch() -> Any:
    """Return PyTorch on one thread, or None where it is not installed."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


def cpu_time(step: Callable[[], float]) -> float:
    """Return the CPU seconds of one step, from as many as fit into a round."""
    count, start = 0, time.process_time()
    while (elapsed := time.process_time() - start) < SECONDS or not count:
        step()
        count += 1
    return elapsed / count
