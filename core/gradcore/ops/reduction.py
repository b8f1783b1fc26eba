"""Operations that take many values to one: sums, means, extremes, products, running sums."""

import math
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array
from gradcore.errors import ArgumentError, DtypeError, IndexOutOfRangeError, ShapeError
from gradcore.graph import TensorBase, ask
from gradcore.ops.elementwise import conj
from gradcore.ops.numbers import long_name
from gradcore.ops.registry import CALLS, FUNCTIONS, OPERATIONS, S, T, composite, operation
from gradcore.ops.shape import axes, axis, kept, reshape, spread, to_dtype
from gradcore.ops.sums import is_middle, sum_of_middle

# NumPy's own annotations of ufunc methods know fewer calls than NumPy takes.
_ADD: Any = np.add
_MULTIPLY: Any = np.multiply
_MAXIMUM: Any = np.maximum
_MINIMUM: Any = np.minimum
_ufunc: Any

REDUCED = [
    (T(2, 3),),
    (T(2, 3), 0),
    (T(2, 3, 4), (0, -1)),
    S(T(2, 3), dim=1, keepdim=True),
    (T(),),
]


def along(dim: Any, ndim: int) -> Any:
    """Return NumPy's ``axis`` for torch's ``dim``."""
    if dim is None:
        return None
    if isinstance(dim, int) and 0 <= dim < ndim:
        return dim
    return axes(dim, ndim)


def count(shape: Any, dim: Any) -> int:
    """Return how many values a reduction over ``dim`` takes to one."""
    return math.prod([shape[i] for i in axes(dim, len(shape))])


def _by_dim(label: str) -> Any:
    """Return a name that tells a reduction over all values from one along dimensions."""
    return lambda node: f"{label}#0" if node.kept("dim") is None else f"{label}#1"


@operation(
    "sum",
    gradient={"input": lambda g, input_shape, dim, keepdim: spread(g, input_shape, dim, keepdim)},
    functions=False,
    samples=[],
    parity=None,
    grad_name=_by_dim("Sum"),
)
def sum_of(input: Array, dim: Any = None, keepdim: bool = False) -> Any:
    """Return the sum over all values, or over the dimensions ``dim``."""
    if is_middle(input, dim):
        return sum_of_middle(input, keepdim)
    kind = np.int64 if input.dtype.kind in "iub" else None
    return _ADD.reduce(input, axis=along(dim, input.ndim), keepdims=keepdim, dtype=kind)


def _with_dtype(name: str, op: Any, doc: str, samples: Any) -> Any:
    def call(
        input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, **more: Any
    ) -> Any:
        if more:
            dim, keepdim = more.pop("axis", dim), more.pop("keepdims", keepdim)
        if dtype is None:
            return op(input, dim, keepdim, **more)
        # Small integers are added up in int64, whatever is asked for.
        return op(input.to(dtype), dim, keepdim, **more).to(dtype)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    return composite(name, methods=True, samples=samples)(call)


sum_ = _with_dtype("sum", sum_of, sum_of.__doc__, REDUCED)


@operation(
    "mean",
    gradient={
        "input": lambda g, input_shape, dim, keepdim: spread(
            g / max(count(input_shape, dim), 1), input_shape, dim, keepdim
        )
    },
    functions=False,
    parity=None,
    grad_name=_by_dim("Mean"),
)
def mean_of(input: Array, dim: Any = None, keepdim: bool = False) -> Any:
    """Return the mean over all values, or over the dimensions ``dim``."""
    if input.dtype.kind in "iub":
        raise DtypeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or "
            f"complex dtype. Got: {long_name(input)}",
            f"The input has dtype {dtypes.of(input)} and shape {input.shape}.",
            "Convert it first, for instance with .float().",
        )
    n = input.size if dim is None else count(input.shape, dim)
    if is_middle(input, dim):
        return np.divide(sum_of_middle(input, keepdim), n)
    total = _ADD.reduce(input, axis=along(dim, input.ndim), keepdims=keepdim)
    return total / input.dtype.type(n) if total.ndim == 0 else np.divide(total, n)


mean = _with_dtype("mean", mean_of, mean_of.__doc__, REDUCED)


@composite("nansum", methods=True, samples=[(T(2, 3),), (T(2, 3), 0)])
def nansum(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Return the sum, nan counted as 0."""
    return sum_(FUNCTIONS["where"](input != input, 0.0, input), dim, keepdim)


@composite("nanmean", methods=True, samples=[(T(2, 3),), (T(2, 3), 0)])
def nanmean(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Return the mean of the values that are not nan."""
    there = input == input
    return nansum(input, dim, keepdim) / sum_(there, dim, keepdim)


# --- extremes


def _need_values(name: str, input: Array, dim: Any) -> None:
    if count(input.shape, dim) == 0:
        # As torch: its full reductions raise another class than those along a dimension.
        is_full = dim is None and not name.startswith("arg")
        kind: Any = ShapeError if is_full else IndexOutOfRangeError
        raise kind(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument.",
            f"The input has shape {input.shape}.",
            "An extreme of nothing is not defined.",
        )


def _shared(g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Any:
    """Divide the gradient of an extreme evenly among the values that attain it."""
    shape = tuple(input.shape)
    hit = input == spread(y, shape, dim, keepdim)
    hit = hit * 1.0 if not hasattr(hit, "_a") else to_dtype(hit, g._a.dtype)
    ways = sum_of(hit, dim, True)
    return spread(g, shape, dim, keepdim) * (hit / ways)


for _name, _ufunc, _doc in (
    ("amax", np.maximum, "Return the largest value; equal ones share the gradient."),
    ("amin", np.minimum, "Return the smallest value; equal ones share the gradient."),
):

    def _extreme(
        input: Array,
        dim: Any = None,
        keepdim: bool = False,
        *,
        _ufunc: Any = _ufunc,
        _name: str = _name,
    ) -> Any:
        _need_values(_name, input, dim)
        return _ufunc.reduce(input, axis=along(dim, input.ndim), keepdims=keepdim)

    operation(
        _name,
        gradient={"input": lambda g, input, y, dim, keepdim: _shared(g, input, y, dim, keepdim)},
        methods=True,
        samples=REDUCED,
        doc=_doc,
    )(_extreme)


for _name, _ufunc in (("max", np.maximum), ("min", np.minimum)):

    def _of_all(input: Array, *, _ufunc: Any = _ufunc, _name: str = _name) -> Any:
        _need_values(_name, input, None)
        return _ufunc.reduce(input, axis=None)

    operation(
        _name + "_all",
        gradient={"input": lambda g, input, y: _shared(g, input, y, None, False)},
        functions=False,
        parity=None,
        grad_name=_name.capitalize() + "#1",
        samples=[(T(2, 3),)],
    )(_of_all)
amax, amin = OPERATIONS["amax"].call, OPERATIONS["amin"].call


def put_along(g: Any, indices: Any, shape: Any, dim: int) -> Any:
    """Return zeros of ``shape`` with ``g`` added at ``indices`` along ``dim``."""
    return OPERATIONS["put_along"].call(g, indices, tuple(shape), dim)


def _along_back(g: Any, indices: Any, input_shape: Any, dim: int, keepdim: bool) -> Any:
    g = g[0]
    if not len(input_shape):
        return g
    if not keepdim:
        shape = kept(input_shape, dim)
        g, indices = g.reshape(shape), indices.reshape(shape)
    return put_along(g, indices, input_shape, dim)


class ReturnType(tuple[Any, ...]):
    """Several results with names, printed as torch does."""

    __slots__ = ()
    label = ""
    names: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        if name in self.names:
            return self[self.names.index(name)]
        raise AttributeError(f"torch.return_types.{self.label} has no attribute {name!r}")

    def __repr__(self) -> str:
        rows = [f"{name}={value!r}" for name, value in zip(self.names, self, strict=True)]
        return f"torch.return_types.{self.label}(\n" + ",\n".join(rows) + ")"


def return_type(label: str, *names: str) -> Any:
    """Return a function that packs results under ``names``."""
    kind = type(label, (ReturnType,), {"label": label, "names": names, "__slots__": ()})

    def pack(*values: Any) -> Any:
        return kind(values)

    return pack


for _name, _arg in (("max", np.argmax), ("min", np.argmin)):

    def _along_extreme(
        input: Array, dim: int, keepdim: bool = False, *, _arg: Any = _arg, _name: str = _name
    ) -> Any:
        if input.ndim == 0:
            return input, np.zeros((), np.int64)
        where = axis(dim, input.ndim)
        _need_values(_name, input, where)
        indices = np.expand_dims(_arg(input, axis=where), where)
        values = np.take_along_axis(input, indices, where)
        return (values, indices) if keepdim else (values.squeeze(where), indices.squeeze(where))

    operation(
        _name + "_dim",
        gradient={"input": _along_back},
        outputs=("values", "indices"),
        functions=False,
        parity=None,
        grad_name=_name.capitalize(),
        pack=return_type(_name, "values", "indices"),
    )(_along_extreme)


def _two_way(name: str, full: Any, pair: Any) -> Any:
    along_dim = OPERATIONS[name + "_dim"].call

    def call(input: Any, dim: Any = None, keepdim: bool = False, **more: Any) -> Any:
        if more:
            dim = more.pop("axis", more.pop("other", dim))
            keepdim = more.pop("keepdims", keepdim)
        if dim is None:
            return full(input)
        if hasattr(dim, "_a"):
            return pair(input, dim)
        return along_dim(input, dim, keepdim)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = (
        f"Return the {name}imum of all values, of two tensors, or (values, indices) along a dim."
    )
    return composite(
        name,
        methods=True,
        samples=[(T(2, 3),), (T(2, 3), 1), S(T(2, 3), dim=0, keepdim=True), (T(3), T(3))],
    )(call)


max_ = _two_way("max", OPERATIONS["max_all"].call, FUNCTIONS["maximum"])
min_ = _two_way("min", OPERATIONS["min_all"].call, FUNCTIONS["minimum"])

for _name, _arg in (("argmax", np.argmax), ("argmin", np.argmin)):

    def _position(
        input: Array,
        dim: int | None = None,
        keepdim: bool = False,
        *,
        _arg: Any = _arg,
        _name: str = _name,
    ) -> Any:
        _need_values(_name, input, dim)
        if input.dtype.kind in "bc":
            what = "bool" if input.dtype.kind == "b" else "complex"
            raise DtypeError(f"{_name}(): does not support {what} input")
        if input.ndim == 0:
            return np.zeros((), np.int64)
        where = None if dim is None else axis(dim, input.ndim)
        return _arg(input, axis=where, keepdims=keepdim)

    operation(
        _name,
        methods=True,
        samples=[(T(2, 3),), (T(2, 3), 1), S(T(2, 3), dim=0, keepdim=True)],
        doc="Return the position of the extreme, counted through all values or along a dim.",
    )(_position)

for _name, _ufunc in (("all", np.logical_and), ("any", np.logical_or)):

    def _logical(
        input: Array, dim: Any = None, keepdim: bool = False, *, _ufunc: Any = _ufunc
    ) -> Any:
        out = _ufunc.reduce(input, axis=along(dim, input.ndim), keepdims=keepdim)
        # As torch: the one dtype whose answer is not a bool.
        return out.astype(np.uint8) if input.dtype == np.uint8 else out

    operation(
        _name,
        methods=True,
        samples=[(T(2, 3, kind="bool"),), (T(2, 3, kind="bool"), 1), (T(2, 3),)],
        doc=f"Tell whether {_name} of the values are true.",
    )(_logical)


# --- products


def _is_odd(a: Any) -> bool:
    # A recording cannot follow this, and so asks again at every step.
    return bool(np.count_nonzero(a) < a.size or not np.isfinite(a).all())


def _has_odd(input: Any) -> bool:
    """Tell whether a value is 0, nan or infinite, and so cannot be divided by."""
    return bool(ask(_is_odd, input) if isinstance(input, TensorBase) else _is_odd(input))


def _prod_back(g: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    """Multiply the others of each value: exact also where a factor is zero."""
    shape = tuple(input.shape)
    if not shape:
        return g
    if not _has_odd(input):
        # As torch, which divides, too.
        y = prod_of(input, dim, True) if dim is not None else prod_of(input, None, False)
        if dim is not None and not keepdim:
            g = reshape(g, kept(shape, dim))
        return g * conj(y) / conj(input)
    if dim is None:
        return reshape(_prod_back(g, input.reshape((-1,)), 0, False), shape)
    where = axis(dim, len(shape))
    n = shape[where]
    ones = input[(slice(None),) * where + (slice(0, 1),)] * 0.0 + 1.0
    cat = FUNCTIONS["cat"]

    def part(first: int, last: int) -> Any:
        return input[(slice(None),) * where + (slice(first, last),)]

    left = cat([ones, part(0, n - 1)], where)
    right = FUNCTIONS["flip"](cat([part(1, n), ones], where), (where,))
    before = cumprod(left, where)
    behind = FUNCTIONS["flip"](cumprod(right, where), (where,))
    return spread(g, shape, where, keepdim) * conj(before * behind)


@operation("prod", gradient={"input": _prod_back}, functions=False, parity=None)
def prod_of(input: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the product of all values, or along one dimension."""
    kind = np.int64 if input.dtype.kind in "iub" else None
    return _MULTIPLY.reduce(input, axis=along(dim, input.ndim), keepdims=keepdim, dtype=kind)


prod = _with_dtype("prod", prod_of, prod_of.__doc__, [(T(2, 3),), (T(2, 3), 1), (T(2, 3), 0, True)])


# --- running sums and products


@operation(
    "cumsum",
    gradient={"input": lambda g, dim: _summed_from_behind(g, dim) if len(g.shape) else g},
    functions=False,
    parity=None,
)
def cumsum_of(input: Array, dim: int) -> Any:
    """Return the running sum along a dimension."""
    if input.ndim == 0:
        return input.copy()
    return _accumulated(_ADD, input, axis(dim, input.ndim))


def _accumulated(ufunc: Any, input: Array, where: int) -> Any:
    """Return running sums or products; those of many rows row by row, which NumPy does not."""
    kind = np.int64 if input.dtype.kind in "iub" else None
    n, inner = input.shape[where], math.prod(input.shape[where + 1 :])
    if kind is not None or type(input) is not np.ndarray or inner < 64 or input.size < 1 << 12:
        return ufunc.accumulate(input, axis=where, dtype=kind)
    out = np.empty(input.shape, input.dtype)
    rows, into = np.moveaxis(input, where, 0), np.moveaxis(out, where, 0)
    into[:1] = rows[:1]
    for i in range(1, n):
        ufunc(into[i - 1], rows[i], into[i])
    return out


def _summed_from_behind(g: Any, dim: int) -> Any:
    """Return the sum of each value and all that follow: the gradient of a running sum."""
    if isinstance(g, np.ndarray):
        where = axis(dim, g.ndim)
        return np.flip(cumsum_of.operation.kernel(np.flip(g, where), where), where)
    return FUNCTIONS["flip"](CALLS.cumsum(FUNCTIONS["flip"](g, (dim,)), dim), (dim,))


@operation(
    "cumprod",
    gradient={"input": lambda g, input, dim: _cumprod_back(g, input, dim)},
    functions=False,
    parity=None,
)
def cumprod_of(input: Array, dim: int) -> Any:
    """Return the running product along a dimension."""
    if input.ndim == 0:
        return input.copy()
    return _accumulated(_MULTIPLY, input, axis(dim, input.ndim))


def _cumprod_back(g: Any, input: Any, dim: int) -> Any:
    """Sum, for each value, what the later products would change: also right at zeros."""
    shape = tuple(input.shape)
    if not shape:
        return g
    where = axis(dim, len(shape))
    if not _has_odd(input):
        # As torch, which divides, too.
        return _summed_from_behind(g * conj(cumprod_of(input, where)), where) / conj(input)
    n = shape[where]
    head = (slice(None),) * where
    cat = FUNCTIONS["cat"]
    parts = []
    for k in range(n):
        before = prod_of(input[(*head, slice(0, k))], where, True) if k else None
        rest = input[(*head, slice(k + 1, n))]
        first = g[(*head, slice(k, k + 1))]
        total = first
        if k + 1 < n:
            later = g[(*head, slice(k + 1, n))] * conj(cumprod_of(rest, where))
            total = first + sum_of(later, where, True)
        parts.append(total if before is None else total * conj(before))
    return cat(parts, where)


def _running(name: str, op: Any) -> Any:
    def call(input: Any, dim: Any = None, *, dtype: Any = None, axis: Any = None) -> Any:
        dim = axis if dim is None else dim
        if dim is None:
            raise ArgumentError(f'{name}() missing 1 required positional arguments: "dim"')
        return op(input if dtype is None else input.to(dtype), dim)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = op.__doc__
    return composite(name, methods=True, samples=[(T(2, 3), 0), (T(2, 3), -1)])(call)


cumsum = _running("cumsum", cumsum_of)
cumprod = _running("cumprod", cumprod_of)
