"""Every common operation and layer, forward and backward at a usual size, beside PyTorch's eager.

The cases stand in ``operations.txt``. One thread, CPU time, in turns; the slowest beside PyTorch
come first.
"""

import gc
import importlib
import importlib.util
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from figure import Figure
from request import Request

CASES = Path(__file__).parent / "operations.txt"
ROUNDS, FEW_ROUNDS = 5, 2
SECONDS = 0.006
"""Of CPU time a case, library and round."""
NAMES = "abcde"
LAYER = "t.nn."


def measure(request: Request) -> Iterator[Figure]:
    """Yield the time of each case as a ratio to PyTorch's, without it in microseconds."""
    names = ["gradcore", *(["torch"] if importlib.util.find_spec("torch") else [])]
    libraries = [importlib.import_module(name) for name in names]
    figures = []
    with threadpool_limits(1):
        for expression, shapes in cases():
            if request.rows and not any(word in expression for word in request.rows):
                continue
            rounds = FEW_ROUNDS if request.quick else ROUNDS
            figures.append(_figure(expression, shapes, libraries, rounds))
    yield from sorted(figures, key=lambda figure: -figure.value)


def cases() -> Iterator[tuple[str, list[str]]]:
    """Yield what is called, and its inputs' shapes as they are written."""
    for line in CASES.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            expression, _, shapes = line.rpartition(" = ")
            yield expression, shapes.split()


def arrays_of(shapes: list[str]) -> list[tuple[NDArray[Any], bool]]:
    """Return the inputs' values, and which of them are trained."""
    numbers = np.random.default_rng(0)
    made: list[tuple[NDArray[Any], bool]] = []
    for text in shapes:
        limit, _, sizes = text.rpartition(":")
        shape = tuple(int(size) for size in sizes.lstrip("=+%?").split("x"))
        if limit:
            made.append((numbers.integers(0, int(limit[1:]), shape), False))
        elif text[0] == "?":
            made.append((numbers.random(shape) < 0.5, False))
        elif text[0] in "+%":
            low = 0.5 if text[0] == "+" else 0.0
            made.append((numbers.uniform(low, low + 1, shape).astype(np.float32), text[0] == "+"))
        else:
            made.append((numbers.standard_normal(shape).astype(np.float32), text[0] != "="))
    return made


def step_of(expression: str, shapes: list[str], library: Any) -> Callable[[], Any]:
    """Return forward and backward of a case on one library; it returns the first result."""
    functional = importlib.import_module(f"{library.__name__}.nn.functional")
    given = [
        library.from_numpy(array).requires_grad_(is_trained)
        for array, is_trained in arrays_of(shapes)
    ]
    names = dict(zip(NAMES, given, strict=False)) | {"t": library, "f": functional}
    if expression.startswith(LAYER):
        names["layer"] = eval(expression, names)
        given = [*given, *names["layer"].parameters()]
        expression = f"layer({', '.join(NAMES[: len(shapes)])})"
    code = compile(expression, "<case>", "eval")

    def forward() -> list[Any]:
        found = eval(code, names)
        members = found if isinstance(found, (tuple, list)) else [found]
        return [member for member in members if hasattr(member, "requires_grad")]

    gradients = [library.ones_like(y) for y in forward() if y.requires_grad]

    def step() -> Any:
        for item in given:
            item.grad = None
        results = forward()
        trained = [y for y in results if y.requires_grad]
        if trained:
            library.autograd.backward(trained, gradients)
        return results[0]

    return step


def _figure(expression: str, shapes: list[str], libraries: list[Any], rounds: int) -> Figure:
    steps = [step_of(expression, shapes, library) for library in libraries]
    counts = []
    for step in steps:
        step()
        counts.append(max(1, math.floor(SECONDS / max(_time(step, 1), 1e-6))))
    times: list[list[float]] = [[] for _ in steps]
    gc.disable()
    for _ in range(rounds):
        for step, count, found in zip(steps, counts, times, strict=True):
            found.append(_time(step, count))
    gc.enable()
    name, best = f"{expression} {' '.join(shapes)}", [min(found) for found in times]
    if len(steps) == 1:
        return Figure(name, [best[0] * 1e6], "us")
    note = f"{best[0] * 1e6:,.0f} of {best[1] * 1e6:,.0f} us"
    return Figure(name, [best[0] / best[1]], "x", note=note)


def _time(step: Callable[[], Any], count: int) -> float:
    """Return the seconds of CPU time that a step takes."""
    start = time.process_time()
    for _ in range(count):
        step()
    return (time.process_time() - start) / count
