"""Discrete Fourier transforms: one operation along one dimension, the others made of it."""

import math
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array
from gradcore.errors import ArgumentError, ShapeError
from gradcore.graph import wrap
from gradcore.ops.registry import CALLS, FUNCTIONS, S, T, composite, operation
from gradcore.ops.shape import axis

_COMPLEX = T(3, 4, kind="complex")


@operation(
    "fourier",
    gradient={
        "input": lambda g, dim, inverse, scale: CALLS.fourier(g, dim, not inverse, scale),
    },
    functions=False,
    parity=None,
    samples=[(_COMPLEX, 1, False, 0.5), (_COMPLEX, 0, True, 1.0)],
    grad_name="FftC2C",
)
def fourier(input: Array, dim: int, inverse: bool, scale: float) -> Any:
    """Return ``scale`` times the transform along ``dim``; ``inverse`` turns the other way."""
    if inverse:
        found = np.fft.ifft(input, axis=dim, norm="forward")
    else:
        found = np.fft.fft(input, axis=dim)
    return (found * scale).astype(input.dtype)


def _scale(n: int, norm: str | None, inverse: bool) -> float:
    if norm not in (None, "backward", "ortho", "forward"):
        raise ArgumentError(f'Invalid normalization mode: "{norm}"')
    if norm == "ortho":
        return 1 / math.sqrt(n)
    return 1 / n if (norm == "forward") != inverse else 1.0


def _as_complex(input: Any) -> Any:
    kind = input._a.dtype.kind
    if kind == "c":
        return input
    if kind != "f":
        input = input.to(dtypes.get_default_dtype())
    return FUNCTIONS["complex"](input, input * 0.0)


def _sized(input: Any, n: int | None, dim: int) -> Any:
    """Cut a dimension to ``n`` values, or fill it up with zeros."""
    have = input.shape[dim]
    if n is not None and n < 1:
        raise ShapeError(f"Invalid number of data points ({n}) specified")
    if n is None or n == have:
        return input
    if n < have:
        return FUNCTIONS["narrow"](input, dim, 0, n)
    fill = list(input.shape)
    fill[dim] = n - have
    return FUNCTIONS["cat"]([input, wrap(np.zeros(fill, input._a.dtype))], dim)


def _one(input: Any, n: int | None, dim: int, norm: str | None, inverse: bool) -> Any:
    place = axis(dim, len(input.shape))
    x = _sized(_as_complex(input), n, place)
    return fourier(x, place, inverse, _scale(x.shape[place], norm, inverse))


def _half(input: Any, n: int | None, dim: int, norm: str | None, inverse: bool) -> Any:
    """Return the first half of the transform of real values: the rest mirrors it."""
    place = axis(dim, len(input.shape))
    whole = _one(input, n, place, norm, inverse)
    return FUNCTIONS["narrow"](whole, place, 0, whole.shape[place] // 2 + 1)


def _from_half(input: Any, n: int | None, dim: int, norm: str | None, inverse: bool) -> Any:
    """Return the real values whose transform has this first half."""
    place = axis(dim, len(input.shape))
    n = 2 * (input.shape[place] - 1) if n is None else n
    half = _sized(_as_complex(input), n // 2 + 1, place)
    rest = FUNCTIONS["narrow"](half, place, 1, (n - 1) // 2)
    mirrored = FUNCTIONS["conj"](FUNCTIONS["flip"](rest, (place,)))
    whole = FUNCTIONS["cat"]([half, mirrored], place)
    # The first value, and for an even count the middle one, count by their real parts alone.
    return FUNCTIONS["real"](fourier(whole, place, inverse, _scale(n, norm, inverse)))


def _enter(name: str, doc: str, samples: Any, call: Any) -> Any:
    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    FOURIER[name] = composite(name, functions=(), samples=samples, parity="torch.fft")(call)
    return FOURIER[name]


FOURIER: dict[str, Any] = {}
"""The functions of ``torch.fft``."""

_REAL = T(3, 4)


def _along_one(name: str, doc: str, samples: Any, through: Any, inverse: bool) -> None:
    def call(input: Any, n: int | None = None, dim: int = -1, norm: Any = None) -> Any:
        return through(input, n, dim, norm, inverse)

    _enter(name, doc, samples, call)


_along_one(
    "fft",
    "Return the discrete Fourier transform along one dimension.",
    [_REAL, _COMPLEX, S(_REAL, n=3, dim=0, norm="ortho"), S(_COMPLEX, 6)],
    _one,
    False,
)
_along_one(
    "ifft", "Undo ``fft``.", [_COMPLEX, S(_COMPLEX, norm="forward"), S(_COMPLEX, 3)], _one, True
)
_along_one(
    "rfft",
    "Return the first half of the transform of real values.",
    [_REAL, S(T(2, 5), norm="ortho"), S(_REAL, 6, 0)],
    _half,
    False,
)
_along_one(
    "irfft",
    "Undo ``rfft``; ``n`` says how many values there were.",
    [_COMPLEX, S(_COMPLEX, 5), S(_COMPLEX, n=4, dim=0, norm="ortho")],
    _from_half,
    True,
)
_along_one(
    "hfft",
    "Return the real transform of values that are the first half of a mirrored signal.",
    [_COMPLEX, S(_COMPLEX, 5)],
    lambda input, n, dim, norm, inverse: _from_half(
        FUNCTIONS["conj"](_as_complex(input)), n, dim, _swapped(norm), True
    ),
    False,
)
_along_one(
    "ihfft",
    "Undo ``hfft``.",
    [_REAL],
    lambda input, n, dim, norm, inverse: FUNCTIONS["conj"](
        _half(input, n, dim, _swapped(norm), False)
    ),
    True,
)


def _swapped(norm: str | None) -> str | None:
    return {None: "forward", "backward": "forward", "forward": "backward"}.get(norm, norm)


def _dims(input: Any, s: Any, dim: Any) -> tuple[list[int], list[int | None]]:
    ndim = len(input.shape)
    if dim is None:
        dim = range(ndim) if s is None else range(ndim - len(s), ndim)
    places = [axis(one, ndim) for one in ([dim] if isinstance(dim, int) else dim)]
    sizes: list[int | None] = (
        [None] * len(places) if s is None else [None if n == -1 else n for n in s]
    )
    return places, sizes


def _along_many(name: str, doc: str, samples: Any, through: Any, default: Any) -> None:
    def call(input: Any, s: Any = None, dim: Any = default, norm: Any = None) -> Any:
        return through(input, *_dims(input, s, dim), norm)

    _enter(name, doc, samples, call)


def _full(inverse: bool) -> Any:
    def call(input: Any, places: Any, sizes: Any, norm: Any) -> Any:
        for place, n in zip(places, sizes, strict=True):
            input = _one(input, n, place, norm, inverse)
        return input

    return call


def _real_forward(input: Any, places: Any, sizes: Any, norm: Any) -> Any:
    out = _half(input, sizes[-1], places[-1], norm, False)
    return _full(False)(out, places[:-1], sizes[:-1], norm)


def _real_back(input: Any, places: Any, sizes: Any, norm: Any) -> Any:
    out = _full(True)(input, places[:-1], sizes[:-1], norm)
    return _from_half(out, sizes[-1], places[-1], norm, True)


def _mirrored_forward(input: Any, places: Any, sizes: Any, norm: Any) -> Any:
    out = _full(False)(input, places[:-1], sizes[:-1], norm)
    return FOURIER["hfft"](out, sizes[-1], places[-1], norm)


def _mirrored_back(input: Any, places: Any, sizes: Any, norm: Any) -> Any:
    out = FOURIER["ihfft"](input, sizes[-1], places[-1], norm)
    return _full(True)(out, places[:-1], sizes[:-1], norm)


for _suffix, _default in (("2", (-2, -1)), ("n", None)):
    _along_many(
        "fft" + _suffix, "Return the transform along several dimensions.",
        [_REAL, S(_COMPLEX, norm="ortho"), S(_REAL, s=(2, 5))], _full(False), _default,
    )  # fmt: skip
    _along_many(
        "ifft" + _suffix, "Undo the transform along several dimensions.",
        [_COMPLEX], _full(True), _default,
    )  # fmt: skip
    _along_many(
        "rfft" + _suffix, "Return half of the transform of real values, along several dimensions.",
        [_REAL, S(_REAL, norm="ortho")], _real_forward, _default,
    )  # fmt: skip
    _along_many(
        "irfft" + _suffix, "Undo the transform of real values along several dimensions.",
        [_COMPLEX, S(_COMPLEX, s=(3, 5))], _real_back, _default,
    )  # fmt: skip
    if "hfft" + _suffix not in FOURIER:
        _along_many(
            "hfft" + _suffix, "Return the real transform of mirrored values, several dimensions.",
            [_COMPLEX], _mirrored_forward, _default,
        )  # fmt: skip
    _along_many(
        "ihfft" + _suffix, "Undo the real transform along several dimensions.",
        [_REAL, S(_REAL, norm="ortho")], _mirrored_back, _default,
    )  # fmt: skip


def _shift(input: Any, dim: Any, back: bool) -> Any:
    dims = range(len(input.shape)) if dim is None else [dim] if isinstance(dim, int) else dim
    places = [axis(one, len(input.shape)) for one in dims]
    steps = [(input.shape[i] + back) // 2 for i in places]
    return FUNCTIONS["roll"](input, steps, places)


_enter(
    "fftshift",
    "Move the zero frequency to the middle.",
    [_REAL, S(T(5)), S(_REAL, dim=1)],
    lambda input, dim=None: _shift(input, dim, False),
)
_enter(
    "ifftshift",
    "Undo ``fftshift``.",
    [_REAL, S(T(5)), S(_REAL, dim=1)],
    lambda input, dim=None: _shift(input, dim, True),
)


def _frequencies(name: str) -> None:
    def call(n: int, d: float = 1.0, *, dtype: Any = None, **options: Any) -> Any:
        kind = dtypes.as_numpy(dtype or dtypes.get_default_dtype())
        # Looked up when it is called: NumPy loads its transforms when they are first needed.
        return wrap(getattr(np.fft, name)(n, d).astype(kind))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = "Return the frequencies that a transform of ``n`` values has."
    FOURIER[name] = call


_frequencies("fftfreq")
_frequencies("rfftfreq")
