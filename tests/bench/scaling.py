"""How the cost of a step grows on gradcore: with width, depth, batch and number of parameters.

Each curve yields the exponent of its growth from end to end: 1 is linear. Widths grow the work of
a linear layer with their square, so that goal is 2; a small start has overhead in it, which only
makes exponents smaller.
"""

import gc
import importlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from contest import MODES, GradcoreMode, cpu_seconds
from figure import Figure
from request import Request
from workloads import Problem, Trained

ROUNDS = 3
SECONDS = 0.05
CHAIN = (1_000, 10_000, 100_000)
SLACK = 0.15  # by how much an exponent may exceed its goal: caches and a busy machine


def measure(request: Request) -> Iterator[Figure]:
    """Yield the times along each curve and how they grow."""
    gradcore = importlib.import_module("gradcore")
    with threadpool_limits(1):
        for name, (sizes, degree, build) in CURVES.items():
            for mode in MODES:
                yield from _curve(f"{name}, {mode}", sizes, degree, build, mode)
        yield from _long_chain(gradcore)


def dense(width: int, depth: int, batch: int) -> type[Trained]:
    """Return the workload of ``depth`` linear layers of one width."""

    class Dense(Trained):
        def build(self, torch: Any) -> Any:
            nn = torch.nn
            inner = [one for _ in range(depth) for one in (nn.Linear(width, width), nn.Tanh())]
            return nn.Sequential(*inner, nn.Linear(width, 10))

        def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
            x = numbers.standard_normal((batch, width), np.float32)
            return x, numbers.integers(0, 10, batch)

    return Dense


def many(count: int) -> type[Trained]:
    """Return the workload of a small layer and ``count`` tensors that take part in its loss."""

    class Many(Trained):
        def build(self, torch: Any) -> Any:
            return torch.nn.ParameterList([torch.ones(16) for _ in range(count)])

        def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
            return numbers.standard_normal((16,), np.float32), numbers.integers(0, 2, 16)

        def loss(self) -> Any:
            total = self.x
            for parameter in self.model:
                total = total * parameter
            return total.sum()

    return Many


CURVES: dict[str, tuple[tuple[int, ...], float, Callable[[int], type[Trained]]]] = {
    "width of 3 layers": ((32, 128, 512), 2, lambda size: dense(size, 3, 64)),
    "depth at width 64": ((4, 16, 64), 1, lambda size: dense(64, size, 64)),
    "batch at width 64": ((32, 256, 2048), 1, lambda size: dense(64, 3, size)),
    "number of tensors": ((10, 100, 1000), 1, many),
}


def _curve(
    name: str,
    sizes: tuple[int, ...],
    degree: float,
    build: Callable[[int], type[Trained]],
    mode: str,
) -> Iterator[Figure]:
    times: list[float] = []
    for size in sizes:
        peer = GradcoreMode(mode)
        step = peer.make("", build(size), Problem({}))
        for _ in range(8):
            step()
        if fault := peer.fault():
            print(f"  {name} {size}: {fault}")
            return
        samples = [cpu_seconds(step, peer.settle, SECONDS) for _ in range(ROUNDS)]
        yield Figure(f"{name} {size:,}", [one * 1e6 for one in samples], "us")
        times.append(min(samples))
    growth = math.log(times[-1] / times[0]) / math.log(sizes[-1] / sizes[0])
    yield Figure(f"{name}: grows with the power", [growth], "", degree + SLACK)


def _long_chain(gradcore: Any) -> Iterator[Figure]:
    """Yield times of forward and backward through chains of up to 100,000 operations."""
    times = []
    limit = sys.getrecursionlimit()
    for count in CHAIN:
        samples = []
        for _ in range(ROUNDS):
            x = gradcore.ones(4, requires_grad=True)
            gc.collect()
            start = time.process_time()
            h = x
            for _ in range(count):
                h = h * 1.0
            h.sum().backward()
            samples.append(time.process_time() - start)
            del h
        times.append(min(samples))
        note = f"recursion limit {limit}"
        yield Figure(
            f"chain of {count:,} operations", [one * 1e3 for one in samples], "ms", note=note
        )
    growth = math.log(times[-1] / times[0]) / math.log(CHAIN[-1] / CHAIN[0])
    yield Figure("chain: grows with the power", [growth], "", 1 + SLACK)
