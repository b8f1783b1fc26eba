"""What it costs to take the statistics of every parameter and gradient at every step."""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

from contest import MODES, GradcoreMode, cpu_seconds
from figure import Figure
from workloads import WORKLOADS, Problem

ROUNDS = 7
GOALS = {
    ("demo_mlp", "replay"): 0.75,
    ("demo_mlp", "native"): 0.25,
    ("mlp_512", "native"): 0.02,
}


def statistics_figures() -> Iterator[Figure]:
    """Yield the share of a step that the statistics add to it, by workload and mode."""
    for key in ("demo_mlp", "mlp_512"):
        for mode in MODES:
            plain, metered = GradcoreMode(mode), GradcoreMode(mode)
            step = plain.make(key, WORKLOADS[key], Problem({}))
            told = _with_statistics(metered, metered.make(key, WORKLOADS[key], Problem({})))
            for _ in range(6):
                step()
                told()
            name = f"statistics of every tensor, {key}, {mode}"
            if fault := plain.fault() or metered.fault():
                print(f"  {name}: {fault}")
                continue
            shares = []
            for _ in range(ROUNDS):
                base = cpu_seconds(step, plain.settle)
                shares.append(cpu_seconds(told, metered.settle) / base - 1)
            yield Figure(name, shares, "of it", GOALS.get((key, mode)))


def _with_statistics(peer: GradcoreMode, step: Callable[[], Any]) -> Callable[[], Any]:
    """Return a step after which the statistics of all parameters and gradients stand in a table."""
    if peer.mode == "native" and hasattr(peer.compiled, "statistics"):
        # Taken by the step itself, in the optimizer's pass.
        peer.compiled.statistics(True)
        return step
    meter = importlib.import_module("gradcore.statistics").Meter(list(peer.made.model.parameters()))
    count = 0

    def measured() -> Any:
        nonlocal count
        loss = step()
        count += 1
        meter.measure(count)
        return loss

    return measured
