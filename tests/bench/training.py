"""Time of one training step on gradcore, eager and replayed, as ratios to PyTorch's eager step.

One thread, CPU time, all modes interleaved in one process on the same data and weights. The losses
of replay must equal those of eager bit for bit, and agree with PyTorch's.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from threadpoolctl import threadpool_limits

from bootstrap.environment import Checkout
from figure import Figure
from steps import CHECKED_STEPS, cpu_time, load_torch
from workloads import WORKLOADS, Chain, Trained

ROUNDS = 7


def measure(checkout: Checkout) -> Iterator[Figure]:
    """Yield for each workload the time of a step in each mode, and the ratios to PyTorch."""
    ours, theirs = importlib.import_module("gradcore"), load_torch()
    with threadpool_limits(1):
        for name, workload in WORKLOADS.items():
            yield from _compare(name, workload, ours, theirs)


def _compare(
    name: str, workload: type[Chain] | type[Trained], ours: Any, theirs: Any
) -> Iterator[Figure]:
    replay = ours.compile(workload(ours).update)
    modes: dict[str, Callable[[], Any]] = {"eager": workload(ours).update, "replay": replay}
    if theirs:
        modes["torch"] = workload(theirs).update
    losses = {
        mode: [float(step().detach()) for _ in range(CHECKED_STEPS)] for mode, step in modes.items()
    }
    rounds = [{mode: cpu_time(step) for mode, step in modes.items()} for _ in range(ROUNDS)]
    for mode in modes:
        why = f"runs eager: {replay.reason}" if mode == "replay" and replay.reason else ""
        note = why or _agreement(losses[mode], losses["eager"])
        yield Figure(f"{name}: {mode}", [one[mode] * 1e6 for one in rounds], "us", note=note)
    if theirs:
        for mode, goal in {"eager": workload.goal, "replay": workload.replay_goal}.items():
            ratios = [one[mode] / one["torch"] for one in rounds]
            yield Figure(f"{name}: {mode} to torch", ratios, "x", goal=goal)


def _agreement(losses: Sequence[float], expected: Sequence[float]) -> str:
    if losses == expected:
        return "losses equal eager's"
    gap = max(abs(a - b) / max(abs(b), 1e-6) for a, b in zip(losses, expected, strict=True))
    return f"losses agree to {gap:.0e}" if gap < 1e-3 else f"LOSSES DIFFER by {gap:.0e}"
