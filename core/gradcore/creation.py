"""Functions that make tensors: from values, filled, counted, random."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcore import device as devices
from gradcore import dtypes, graph, random
from gradcore.dtypes import Array
from gradcore.errors import ArgumentError, ShapeError
from gradcore.graph import TensorBase, wrap
from gradcore.ops.numbers import array_from
from gradcore.random import shape_of
from gradcore.tensor import Tensor


def _made(name: str, a: Any, options: dict[str, Any], source: Any = None) -> Any:
    """Return a new tensor on ``a`` with what the factory's options ask for.

    ``source`` is the data it was copied from, of which a recorder is told the tensors.
    """
    t = wrap(a)
    if options:
        devices.check(options.get("device"))
        if options.get("requires_grad"):
            t.requires_grad = True
        out = options.get("out")
        if out is not None:
            out._a = a.astype(out._a.dtype, copy=False)
            t = out
        unknown = options.keys() - _OPTIONS
        if unknown:
            raise ArgumentError(
                f"{name}() got an unexpected keyword argument '{min(unknown)}'",
                "",
                "Check the spelling, or leave it out.",
                function=name,
            )
    if graph.recorder is not None:
        graph.tell(name, tuple(_tensors_in(source)), {}, (t,))
    return t


def _tensors_in(data: Any) -> Iterator[Any]:
    if isinstance(data, TensorBase):
        yield data
    elif isinstance(data, (list, tuple)):
        for item in data:
            yield from _tensors_in(item)


_OPTIONS = {
    "dtype",
    "device",
    "requires_grad",
    "layout",
    "pin_memory",
    "out",
    "memory_format",
    "generator",
    "size",
}


def _kind(options: dict[str, Any], default: Any = None) -> Any:
    given = options.get("dtype")
    if given is not None:
        return dtypes.as_numpy(given)
    return dtypes.default_float() if default is None else default


def _size(size: tuple[Any, ...], options: dict[str, Any]) -> tuple[int, ...]:
    return shape_of((options["size"],) if "size" in options else size)


# --- from values


def tensor(data: Any, *, dtype: Any = None, **options: Any) -> Any:
    """Return a tensor with a copy of ``data``; Python floats get the default dtype."""
    kind = None if dtype is None else dtypes.as_numpy(dtype)
    return _made("tensor", array_from(data, kind), options, data)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """Return ``data`` as a tensor, without a copy where it can be."""
    if isinstance(data, TensorBase):
        t: Any = data
        return t if dtype is None and device is None else t.to(dtype=dtype, device=device)
    if isinstance(data, np.ndarray):
        t = from_numpy(data)
        return t if dtype is None else t.to(dtype)
    return tensor(data, dtype=dtype, device=device)


def asarray(obj: Any, *, dtype: Any = None, copy: bool | None = None, **options: Any) -> Any:
    """Return ``obj`` as a tensor; ``copy=True`` always copies."""
    t = as_tensor(obj, dtype=dtype)
    return t.clone() if copy else t


def from_numpy(ndarray: Array) -> Any:
    """Return a tensor on the memory of a NumPy array."""
    if not isinstance(ndarray, np.ndarray):
        raise ArgumentError(f"expected np.ndarray (got {type(ndarray).__name__})")
    dtypes.of(ndarray)
    return _made("from_numpy", ndarray, {})


def scalar_tensor(s: Any, **options: Any) -> Any:
    """Return a tensor without dimensions, in the default dtype."""
    return _made("scalar_tensor", np.array(s, _kind(options)), options)


# --- filled


def zeros(*size: Any, **options: Any) -> Any:
    """Return zeros."""
    return _made("zeros", np.zeros(_size(size, options), _kind(options)), options)


def ones(*size: Any, **options: Any) -> Any:
    """Return ones."""
    return _made("ones", np.ones(_size(size, options), _kind(options)), options)


def empty(*size: Any, **options: Any) -> Any:
    """Return a tensor whose values are whatever the memory held."""
    return _made("empty", np.empty(_size(size, options), _kind(options)), options)


def full(size: Any, fill_value: Any, **options: Any) -> Any:
    """Return a tensor of one value; its dtype follows the value."""
    if isinstance(size, int):
        raise ArgumentError(
            "full(): argument 'size' (position 1) must be tuple of ints, not int",
            "",
            f"Write ({size},).",
        )
    if isinstance(fill_value, TensorBase):
        fill_value = fill_value._a.item()
    kind = _kind(options, dtypes.as_numpy(fill_value.__class__))
    return _made("full", np.full(shape_of((size,)), fill_value, kind), options)


def eye(n: int, m: int | None = None, **options: Any) -> Any:
    """Return the identity matrix."""
    shape_of((n, n if m is None else m))
    return _made("eye", np.eye(n, m, dtype=_kind(options)), options)


def _like(name: str, make: Any, is_drawn: bool = False) -> Any:
    def call(input: Any, **options: Any) -> Any:
        kind, generator = _kind(options, input._a.dtype), options.get("generator")
        if is_drawn:
            shape = random.layout_like(input._a)
            return _made(name, random.draw(make, shape, kind, generator=generator), options)
        return _made(name, make(input._a.shape, kind, generator), options)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"As ``{name.removesuffix('_like')}``, in the shape and dtype of ``input``."
    return call


zeros_like = _like("zeros_like", lambda shape, kind, _: np.zeros(shape, kind))
ones_like = _like("ones_like", lambda shape, kind, _: np.ones(shape, kind))
empty_like = _like("empty_like", lambda shape, kind, _: np.empty(shape, kind))
rand_like = _like("rand_like", random.uniform_array, is_drawn=True)
randn_like = _like("randn_like", random.normal_array, is_drawn=True)


def full_like(input: Any, fill_value: Any, **options: Any) -> Any:
    """Return a tensor of one value in the shape and dtype of ``input``."""
    kind = _kind(options, input._a.dtype)
    return _made("full_like", np.full(input._a.shape, fill_value, kind), options)


# --- counted


def _number(x: Any) -> Any:
    return x._a.item() if isinstance(x, TensorBase) else x


def arange(start: Any = None, end: Any = None, step: Any = 1, **options: Any) -> Any:
    """Return the numbers from ``start`` (0) up to, without, ``end``."""
    if start is None:
        start = 0
    elif end is None:
        start, end = 0, start
    start, end, step = (_number(x) for x in (start, end, step))
    if step == 0:
        raise ShapeError("step must be nonzero", "In `arange`.")
    if (end - start) * step < 0:
        raise ShapeError(
            "upper bound and lower bound inconsistent with step sign",
            f"In `arange` from {start} to {end} by {step}.",
        )
    whole = all(isinstance(x, (int, np.integer)) for x in (start, end, step))
    kind = _kind(options, np.int64 if whole else None)
    n = math.ceil((end - start) / step)
    values = np.arange(n) * step + start if not whole else np.arange(start, end, step)
    return _made("arange", values.astype(kind), options)


def linspace(start: Any, end: Any, steps: int, **options: Any) -> Any:
    """Return ``steps`` numbers evenly spaced from ``start`` to ``end``, both included."""
    start, end = (_number(x) for x in (start, end))
    return _made("linspace", np.linspace(start, end, steps).astype(_kind(options)), options)


def logspace(start: float, end: float, steps: int, base: float = 10.0, **options: Any) -> Any:
    """Return powers of ``base`` with evenly spaced exponents."""
    values = np.power(float(base), np.linspace(start, end, steps))
    return _made("logspace", values.astype(_kind(options)), options)


# --- random


def rand(*size: Any, generator: Any = None, **options: Any) -> Any:
    """Return values drawn evenly from [0, 1)."""
    shape = _size(size, options)
    values = random.draw(random.uniform_array, shape, _kind(options), generator=generator)
    return _made("rand", values, options)


def randn(*size: Any, generator: Any = None, **options: Any) -> Any:
    """Return values of the standard normal distribution."""
    shape = _size(size, options)
    values = random.draw(random.normal_array, shape, _kind(options), generator=generator)
    return _made("randn", values, options)


def randint(
    low: int, high: Any = None, size: Any = None, *, generator: Any = None, **options: Any
) -> Any:
    """Return whole numbers drawn evenly from [low, high)."""
    if size is None and not isinstance(high, int):
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    shape, kind = shape_of((size,)), _kind(options, np.int64)
    values = random.draw(_integers, int(low), int(high), shape, kind, generator=generator)
    return _made("randint", values, options)


def _integers(low: int, high: int, shape: Any, kind: Any, generator: Any) -> Array:
    return random.integers_array(low, high, shape, generator).astype(kind)


def randint_like(input: Any, low: int, high: Any = None, **options: Any) -> Any:
    """Return whole numbers in the shape and dtype of ``input``."""
    if high is None:
        low, high = 0, low
    shape, kind = random.layout_like(input._a), _kind(options, input._a.dtype)
    values = random.draw(_integers, int(low), int(high), shape, kind, generator=None)
    return _made("randint_like", values, options)


def randperm(n: int, *, generator: Any = None, **options: Any) -> Any:
    """Return the numbers from 0 to n-1 in random order."""
    values = random.draw(_permuted, n, _kind(options, np.int64), generator=generator)
    return _made("randperm", values, options)


def _permuted(n: int, kind: Any, generator: Any) -> Array:
    return random.permutation(n, generator).astype(kind)


def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Any = None, **options: Any
) -> Any:
    """Return normal values with the given mean and standard deviation (numbers or tensors)."""
    if size is not None:
        shape = shape_of((size,))
    else:
        parts = [x._a.shape for x in (mean, std) if isinstance(x, TensorBase)]
        shape = np.broadcast_shapes(*parts)
    kinds = [x._a.dtype for x in (mean, std) if isinstance(x, TensorBase)]
    kind = _kind(options, kinds[0] if kinds else None)
    mean, std = (x._a if isinstance(x, TensorBase) else x for x in (mean, std))
    values = random.draw(_normal, shape, kind, mean, std, generator=generator)
    return _made("normal", values, options)


def _normal(shape: Any, kind: Any, mean: Any, std: Any, generator: Any) -> Array:
    if np.less(std, 0).any():
        raise ShapeError(f"normal expects std >= 0.0, but found std {float(np.min(std)):g}")
    values: Array = random.normal_array(shape, kind, generator) * std + mean
    return values.astype(kind)


def bernoulli(input: Any, p: Any = None, *, generator: Any = None) -> Any:
    """Return 1 with the probability that ``input`` gives, else 0."""
    chance = input._a if p is None else p
    shape, kind = input._a.shape, input._a.dtype
    values = random.draw(_bernoulli, shape, chance, kind, generator=generator)
    return _made("bernoulli", values, {})


def _bernoulli(shape: Any, chance: Any, kind: Any, generator: Any) -> Array:
    if not ((np.asarray(chance) >= 0) & (np.asarray(chance) <= 1)).all():
        raise ShapeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    draws = random.uniform_array(shape, np.float64 if np.ndim(chance) == 0 else kind, generator)
    hits: Array = (draws < chance).astype(kind)
    return hits


def _fill(where: Array, function: Any, args: tuple[Any, ...], generator: Any) -> None:
    """Overwrite an array with values that ``function`` draws."""
    np.copyto(where, function(*args, generator), casting="unsafe")


def multinomial(
    input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None
) -> Any:
    """Return positions drawn with the given weights, row by row."""
    args = (input._a, num_samples, replacement)
    return _made("multinomial", random.draw(_multinomial, *args, generator=generator), {})


def _multinomial(weights: Array, num_samples: int, replacement: bool, generator: Any) -> Array:
    if weights.ndim not in (1, 2):
        raise ShapeError("prob_dist must be 1 or 2 dim", f"It has shape {weights.shape}.")
    if not (weights >= 0).all() or not np.isfinite(weights).all():
        raise ShapeError(
            "probability tensor contains either `inf`, `nan` or element < 0", "In `multinomial`."
        )
    if not (weights.sum(-1) > 0).all():
        raise ShapeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if not replacement and num_samples > weights.shape[-1]:
        raise ShapeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    rows = weights.reshape(-1, weights.shape[-1])
    if not replacement or num_samples == 1:
        # As torch: the largest of weight / exponential noise.
        noise = random.exponential_array(rows.shape, generator).astype(rows.dtype)
        score = rows / noise
        picked = np.argsort(-score, axis=-1, kind="stable")[:, :num_samples]
    else:
        total = np.cumsum(rows / rows.sum(-1, keepdims=True), -1)
        draws = random.uniform_array((rows.shape[0], num_samples), np.float64, generator)
        picked = np.stack(
            [
                np.searchsorted(row, draw, side="right")
                for row, draw in zip(total, draws, strict=True)
            ]
        )
    picked = np.minimum(picked, rows.shape[-1] - 1).astype(np.int64)
    return picked.reshape((*weights.shape[:-1], num_samples))


# --- methods of Tensor that make new ones or fill with random values


def _top(kind: "np.dtype[Any]") -> int:
    """Return the number up to which a dtype can hold every whole number."""
    if kind.kind in "iu":
        return int(np.iinfo(kind).max) + 1
    return 2**24 if kind == np.float32 else 2**53


def _evenly(shape: Any, kind: Any, low: float, high: float, generator: Any) -> Array:
    if low > high:
        raise ShapeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}"
        )
    values = random.uniform_array(shape, kind, generator)
    scaled: Array = values * kind.type(high - low) + kind.type(low)
    return scaled


def _around(shape: Any, kind: Any, mean: float, std: float, generator: Any) -> Array:
    if std < 0:
        raise ShapeError(f"normal expects std >= 0.0, but found std {std:g}")
    values: Array = random.normal_array(shape, kind, generator) * kind.type(std) + kind.type(mean)
    return values


def _waits(shape: Any, rate: float, generator: Any) -> Array:
    return random.exponential_array(shape, generator) / rate


def _redraw(self: Any, name: str, function: Any, args: Any, generator: Any) -> Any:
    values = function(*args, generator)
    if graph.journal is not None:
        graph.journal.work(_fill, (self,), (function, args, generator))
    return self._overwrite(name, values)


def _random_methods() -> None:
    def uniform_(
        self: Any, from_: float = 0, to: float = 1, *, generator: Any = None, **more: Any
    ) -> Any:
        """Overwrite with values drawn evenly from [from, to)."""
        low = more.get("a", more.get("from", from_))
        high = more.get("b", to)
        args = (random.layout_of(self._a), self._a.dtype, low, high)
        return _redraw(self, "uniform_", _evenly, args, generator)

    def normal_(self: Any, mean: float = 0, std: float = 1, *, generator: Any = None) -> Any:
        """Overwrite with normal values."""
        args = (random.layout_of(self._a), self._a.dtype, mean, std)
        return _redraw(self, "normal_", _around, args, generator)

    def bernoulli_(self: Any, p: Any = 0.5, *, generator: Any = None) -> Any:
        """Overwrite with 1 with probability ``p``, else 0."""
        chance = p._a if isinstance(p, TensorBase) else p
        args = (random.layout_of(self._a), chance, self._a.dtype)
        return _redraw(self, "bernoulli_", _bernoulli, args, generator)

    def random_(self: Any, from_: Any = None, to: Any = None, *, generator: Any = None) -> Any:
        """Overwrite with whole numbers drawn evenly."""
        a = self._a
        if to is None:
            from_, to = 0, (_top(a.dtype) if from_ is None else from_)
        args = (from_, to, random.layout_of(a))
        return _redraw(self, "random_", random.integers_array, args, generator)

    def exponential_(self: Any, lambd: float = 1, *, generator: Any = None) -> Any:
        """Overwrite with values of the exponential distribution."""
        return _redraw(self, "exponential_", _waits, (random.layout_of(self._a), lambd), generator)

    for method in (uniform_, normal_, bernoulli_, random_, exponential_):
        setattr(Tensor, method.__name__, method)
    setattr(Tensor, "bernoulli", bernoulli)  # noqa: B010 - a method that mypy need not know
    setattr(Tensor, "multinomial", multinomial)  # noqa: B010 - a method that mypy need not know


def _new_methods() -> None:
    def make(name: str, build: Any) -> None:
        def call(self: Any, *size: Any, **options: Any) -> Any:
            kind = _kind(options, self._a.dtype)
            return _made("new_" + name, build(_size(size, options), kind), options)

        call.__name__ = call.__qualname__ = "new_" + name
        call.__doc__ = f"As ``{name}``, in the dtype of this tensor."
        setattr(Tensor, "new_" + name, call)

    make("zeros", np.zeros)
    make("ones", np.ones)
    make("empty", np.empty)

    def new_full(self: Any, size: Any, fill_value: Any, **options: Any) -> Any:
        """As ``full``, in the dtype of this tensor."""
        kind = _kind(options, self._a.dtype)
        return _made("new_full", np.full(shape_of((size,)), fill_value, kind), options)

    def new_tensor(self: Any, data: Any, **options: Any) -> Any:
        """As ``tensor``, in the dtype of this tensor."""
        options.setdefault("dtype", self.dtype)
        return tensor(data, **options)

    def data_of(self: Any) -> Any:
        """Return a new tensor on the same memory."""
        return wrap(self._a)

    setattr(Tensor, "new_full", new_full)  # noqa: B010 - a method that mypy need not know
    setattr(Tensor, "new_tensor", new_tensor)  # noqa: B010 - a method that mypy need not know
    setattr(Tensor, "new", data_of)  # noqa: B010 - a method that mypy need not know


_random_methods()
_new_methods()
