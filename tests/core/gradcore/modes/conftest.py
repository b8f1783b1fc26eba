"""Trains the same step in each mode that ``gradcore.compile`` offers, and compares what is left.

``eager`` is the yardstick. A test that asks for ``mode`` runs once for each other mode; native
joins by itself where it is there. Numbers may differ by the rounding of reordered sums, as
`TOLERANCES` says; NaN, infinities, whole numbers, shapes, dtypes and errors must be equal.
"""

import functools
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import gradcore

# Relative to a value, and relative to the largest finite value of its array.
TOLERANCES = {
    np.dtype("float16"): (2e-3, 1e-3),
    np.dtype("float32"): (1e-5, 2e-6),
    np.dtype("float64"): (1e-13, 1e-14),
    np.dtype("complex64"): (1e-5, 2e-6),
    np.dtype("complex128"): (1e-13, 1e-14),
}
FASTER = ("replay", "native")
KNOWN: dict[str, str] = {}
"""Beginnings of the names of cases that are known to differ, and how they do."""

Make = Callable[[], tuple[Callable[..., Any], Callable[[], Iterable[Any]]]]


@dataclass
class Run:
    """What one training left: for each step all that can be seen, and how the steps were run."""

    seen: list[Any] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)
    report: str = ""


def compiled(step: Callable[..., Any], mode: str) -> Any:
    """Return ``step`` compiled for ``mode`` alone."""
    return gradcore.compile(step, mode=mode)


def mode_of(step: Any, replayed: int) -> str:
    """Return how the last call of a compiled step was run; ``replayed``: how often before it."""
    told = getattr(step, "mode", None)
    if told is not None:
        return str(told)
    return "replay" if step.replayed > replayed else "eager"


@functools.cache
def offered_modes() -> tuple[str, ...]:
    """Return the modes beside eager in which a step of training really runs here."""
    return tuple(mode for mode in FASTER if mode in train(_probe, [()] * 6, mode).modes)


def _probe() -> tuple[Callable[[], Any], Callable[[], Iterable[Any]]]:
    layer = gradcore.nn.Linear(3, 2)
    optimizer = gradcore.optim.SGD(layer.parameters(), lr=0.1)
    x = gradcore.ones(4, 3)

    def step() -> Any:
        optimizer.zero_grad()
        loss = layer(x).pow(2).sum()
        loss.backward()
        optimizer.step()
        return loss

    return step, list


def train(make: Make, batches: Sequence[Sequence[Any]], mode: str, seed: int = 5) -> Run:
    """Run one step for each of ``batches`` (arguments of the step) and note all that is seen.

    ``make`` returns the step and a function that lists the tensors to look at after each step.
    An error is noted like a result: each mode must raise the same.
    """
    gradcore.manual_seed(seed)
    run = Run()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step, look = make()
        call = step if mode == "eager" else compiled(step, mode)
        for batch in batches:
            before = getattr(call, "replayed", 0)
            try:
                result = list(arrays_of(call(*batch)))
            except Exception as error:
                result = [f"{type(error).__name__}: {error}"]
            run.seen.append(result + [array for t in look() for array in arrays_of(t)])
            if mode != "eager":
                run.modes.append(mode_of(call, before))
    run.seen.append([gradcore.get_rng_state().numpy().copy()])
    run.report = getattr(call, "report", "")
    return run


def arrays_of(result: Any) -> Iterable[Any]:
    """Yield a copy of every tensor in what a step returned, and all else as it is."""
    if isinstance(result, gradcore.Tensor):
        yield result.detach().numpy().copy()
    elif isinstance(result, dict):
        for key in result:
            yield from arrays_of(result[key])
    elif isinstance(result, (tuple, list)):
        for part in result:
            yield from arrays_of(part)
    else:
        yield result


def difference(found: Any, expected: Any, factor: float = 1.0) -> str:
    """Return how ``found`` differs from ``expected``; nothing where it is within tolerance."""
    if type(found) is type(expected) is float:
        # What ``item`` returned: as precise as the tensors of the step, mostly float32.
        found, expected = np.float32([found]), np.float32([expected])
    if not isinstance(expected, np.ndarray) or not isinstance(found, np.ndarray):
        equal = repr(found) == repr(expected)
        return "" if type(found) is type(expected) and equal else f"{found!r}, not {expected!r}"
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return f"{found.dtype} {found.shape}, not {expected.dtype} {expected.shape}"
    if expected.dtype not in TOLERANCES:
        return "" if np.array_equal(found, expected) else "other whole numbers"
    if expected.dtype.kind == "c":
        parts = ((getattr(found, p), getattr(expected, p)) for p in ("real", "imag"))
        return "".join(_float_difference(a, b, expected.dtype, factor) for a, b in parts)
    return _float_difference(found, expected, expected.dtype, factor)


def _float_difference(a: Any, b: Any, kind: Any, factor: float) -> str:
    for name, test in (("NaN", np.isnan), ("inf", np.isposinf), ("-inf", np.isneginf)):
        if not np.array_equal(test(a), test(b)):
            return f"{name} at {_places(test(a))}, not at {_places(test(b))}"
    finite = np.isfinite(b)
    a, b = a[finite].astype(np.float64), b[finite].astype(np.float64)
    if not b.size:
        return ""
    own, largest = TOLERANCES[kind]
    gap = np.abs(a - b)
    if (gap <= factor * (own * np.abs(b) + largest * np.abs(b).max())).all():
        return ""
    return f"off by {gap.max():.3g} where the largest value is {np.abs(b).max():.3g}"


def _places(found: Any) -> str:
    places = np.argwhere(found).tolist()
    return f"{len(places)} places {places[:4]}" if places else "no place"


def assert_agree(make: Make, batches: Sequence[Any], mode: str, factor: float = 1.0) -> Run:
    """Train in ``mode`` and eagerly, and fail with the first step and value that differ."""
    expected, found = train(make, batches, "eager"), train(make, batches, mode)
    for number, (own, theirs) in enumerate(zip(found.seen, expected.seen, strict=True)):
        how = found.modes[number] if number < len(found.modes) else "the random stream"
        assert len(own) == len(theirs), f"step {number} ({how}): {own} instead of {theirs}"
        for place, (a, b) in enumerate(zip(own, theirs, strict=True)):
            text = difference(a, b, factor)
            assert not text, f"step {number} ({how}), value {place}: {text}"
    return found


def with_odd_values(array: Any, number: int) -> Any:
    """Return a copy of a float array with NaN and infinities at a few places."""
    array = np.array(array)
    if array.dtype.kind == "f" and array.size:
        places = np.random.default_rng(number).permutation(array.size)
        for place, value in zip(places, (np.nan, np.inf, -np.inf), strict=False):
            if number >> (2 if np.isnan(value) else int(value > 0)) & 1:
                array.flat[place] = value
    return array


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``mode`` in every mode there is beside eager."""
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", offered_modes())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect what is known to differ to differ; leave the rarer half of the cases to long runs."""
    for item in items:
        # Single precision is what is trained in, and training what is compiled.
        rarer = (
            ("modes/test_operations", "float64]"),
            ("modes/test_modules", "-evaluation]"),
        )
        if any(file in item.nodeid and item.nodeid.endswith(end) for file, end in rarer):
            item.add_marker(pytest.mark.long)
        name = item.nodeid.partition("[")[2]
        for beginning, reason in KNOWN.items():
            if item.nodeid.startswith("tests/core/gradcore/modes/") and name.startswith(beginning):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.fixture(scope="session")
def agree() -> Callable[..., Run]:
    """Give `assert_agree` to the tests of this folder."""
    return assert_agree


@pytest.fixture(scope="session")
def run() -> Callable[..., Run]:
    """Give `train` to the tests of this folder."""
    return train


@pytest.fixture(scope="session")
def odd_values() -> Callable[[Any, int], Any]:
    """Give `with_odd_values` to the tests of this folder."""
    return with_odd_values
