"""Comparing tensors in tests: `torch.testing`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.creation import as_tensor, rand, randint
from gradcore.tensor import Tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

_TOLERANCES = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
    dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.complex128: (1e-7, 1e-7),
}


class _Settings:
    """How strictly two values are compared."""

    def __init__(self, **options: Any) -> None:
        self.rtol: float | None = options["rtol"]
        self.atol: float | None = options["atol"]
        self.equal_nan: bool = options["equal_nan"]
        self.check_dtype: bool = options["check_dtype"]
        self.check_stride: bool = options["check_stride"]
        self.message: Any = options["msg"]
        self.allow_subclasses: bool = options["allow_subclasses"]

    def fail(self, text: str, place: str, kind: type[Exception] = AssertionError) -> None:
        if place:
            text += f"\n\nThe failure occurred for item {place}"
        if kind is AssertionError and self.message is not None:
            text = self.message(text) if callable(self.message) else self.message
        raise kind(text)

    def tolerances(self, *kinds: Any) -> tuple[float, float]:
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        found = [_TOLERANCES.get(kind, (0.0, 0.0)) for kind in kinds]
        return max(item[0] for item in found), max(item[1] for item in found)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise AssertionError where two tensors, numbers or collections of them are not close.

    Close: ``abs(actual - expected) <= atol + rtol * abs(expected)``; the tolerances come from the
    dtypes where they are not given.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            "Both 'rtol' and 'atol' must be either specified or omitted, but got no "
            f"{'rtol' if rtol is None else 'atol'}."
        )
    settings = _Settings(
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_dtype=check_dtype,
        check_stride=check_stride,
        msg=msg,
        allow_subclasses=allow_subclasses,
    )
    _compare(actual, expected, settings, "")


def _compare(actual: Any, expected: Any, settings: _Settings, place: str) -> None:
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if set(actual) != set(expected):
            missing, more = set(expected) - set(actual), set(actual) - set(expected)
            settings.fail(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {sorted(missing)}\n"
                f"Additional keys in the actual mapping: {sorted(more)}",
                place,
            )
        for key in expected:
            _compare(actual[key], expected[key], settings, f"{place}[{key!r}]")
    elif _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            settings.fail(
                f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", place
            )
        for i, (one, other) in enumerate(zip(actual, expected, strict=True)):
            _compare(one, other, settings, f"{place}[{i}]")
    elif actual is None or expected is None:
        if actual is not expected:
            settings.fail(f"None mismatch: {actual} is not {expected}", place)
    elif _is_number(actual) and _is_number(expected):
        _compare_numbers(actual, expected, settings, place)
    else:
        _compare_tensors(actual, expected, settings, place)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, complex)) and not isinstance(value, np.generic)


def _compare_numbers(actual: Any, expected: Any, settings: _Settings, place: str) -> None:
    if settings.check_dtype and type(actual) is not type(expected):
        settings.fail(f"The (d)types do not match: {type(actual)} != {type(expected)}.", place)
    kinds = {float: dtypes.float64, complex: dtypes.complex128}
    rtol, atol = settings.tolerances(*(kinds.get(type(item)) for item in (actual, expected)))
    difference = abs(actual - expected)
    same = actual == expected or (settings.equal_nan and actual != actual and expected != expected)
    if same or difference <= atol + rtol * abs(expected):
        return
    exact = rtol == 0 and atol == 0
    text = f"Expected {expected} but got {actual}."
    relative = difference / abs(expected) if expected != 0 else float("inf")
    if exact:
        head = f"Scalars are not equal!\n\n{text}\nAbsolute difference: {difference}\n"
        settings.fail(head + f"Relative difference: {relative}", place)
    settings.fail(
        f"Scalars are not close!\n\n{text}\n"
        f"Absolute difference: {difference} (up to {atol} allowed)\n"
        f"Relative difference: {relative} (up to {rtol} allowed)",
        place,
    )


def _as_tensor(value: Any, settings: _Settings, place: str) -> Tensor:
    made: Any = None
    try:
        made = value if isinstance(value, Tensor) else as_tensor(value)
    except Exception:
        settings.fail(
            f"No comparison pair was able to handle inputs of type {type(value)}", place, TypeError
        )
        raise
    plain: Tensor = made.detach()
    return plain


def _compare_tensors(actual: Any, expected: Any, settings: _Settings, place: str) -> None:
    a, b = (_as_tensor(item, settings, place) for item in (actual, expected))
    checks = [("shape", a.shape, b.shape, True), ("dtype", a.dtype, b.dtype, settings.check_dtype)]
    if settings.check_stride:
        checks.append(("stride()", a.stride(), b.stride(), True))
    for name, one, other, wanted in checks:
        if wanted and one != other:
            settings.fail(
                f"The values for attribute '{name}' do not match: {one} != {other}.", place
            )
    rtol, atol = settings.tolerances(a.dtype, b.dtype)
    _compare_values(a._a, b._a, (rtol, atol), settings, place)


def _wide(array: Any) -> Any:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _compare_values(
    a: Any, b: Any, limits: tuple[float, float], settings: _Settings, place: str
) -> None:
    rtol, atol = limits
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        x, y = _wide(a), _wide(b)
        difference = np.abs(x - y)
        close = (a == b) | (np.isfinite(y) & (difference <= atol + rtol * np.abs(y)))
        if settings.equal_nan:
            close |= np.isnan(x) & np.isnan(y)
        if close.all():
            return
        # As torch: said in the precision of the values, integers in the default dtype.
        kind = a.dtype if a.dtype.kind in "fc" else np.dtype(np.float32)
        shown = np.abs(a.astype(kind) - b.astype(kind))
        difference, relative = shown, shown / np.abs(b.astype(kind))
    exact = rtol == 0 and atol == 0
    if not x.ndim:
        _fail_scalar(a, b, limits, settings, place)
    wrong = int((~close).sum())
    lines = [
        f"Tensor-likes are not {'equal' if exact else 'close'}!",
        "",
        f"Mismatched elements: {wrong} / {x.size} ({wrong / x.size:.1%})",
    ]
    for name, values, limit in (("absolute", difference, atol), ("relative", relative, rtol)):
        wrong_ones = np.where(close, 0, values)
        where = np.unravel_index(int(np.argmax(wrong_ones)), values.shape)
        allowed = "" if exact else f" (up to {limit} allowed)"
        top = values[where] if a.dtype.kind in "fc" or name == "relative" else int(values[where])
        index = tuple(int(i) for i in where)
        lines.append(f"Greatest {name} difference: {top} at index {index}{allowed}")
    settings.fail("\n".join(lines), place)


def _fail_scalar(a: Any, b: Any, limits: Any, settings: _Settings, place: str) -> None:
    numbers = _Settings(**{**vars(settings), "msg": settings.message, "equal_nan": False})
    numbers.rtol, numbers.atol = limits
    numbers.check_dtype = False
    _compare_numbers(a.item(), b.item(), numbers, place)


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """Old form of ``assert_close``, which looks at values alone."""
    assert_close(
        as_tensor(actual),
        as_tensor(expected),
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_dtype=False,
        msg=msg or None,
    )


def make_tensor(
    *shape: Any,
    dtype: Any,
    device: Any = "cpu",
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    **_: Any,
) -> Tensor:
    """Return a tensor of random values of a dtype."""
    sizes = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
    if dtype.is_floating_point or dtype.is_complex:
        bottom, top = -9 if low is None else low, 9 if high is None else high
        made: Tensor = (rand(sizes) * (top - bottom) + bottom).to(dtype)
    else:
        bottom, top = (0, 2) if dtype is dtypes.bool_ else (0 if dtype is dtypes.uint8 else -9, 10)
        first, last = (
            given if given is not None else own for given, own in ((low, bottom), (high, top))
        )
        made = randint(int(first), int(last), sizes).to(dtype)
    return made.requires_grad_() if requires_grad else made
