"""Operations that take many values to one: sums, extremes, norms, softmax, running sums."""

import math
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array
from gradcore.errors import DtypeError, IndexOutOfRangeError, UnsupportedDtypeError
from gradcore.ops.elementwise import conj, sgn
from gradcore.ops.registry import CALLS, FUNCTIONS, OPERATIONS, S, T, composite, operation
from gradcore.ops.shape import axes, axis, kept, reshape, spread, to_dtype

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
    kind = np.int64 if input.dtype.kind in "iub" else None
    return _ADD.reduce(input, axis=along(dim, input.ndim), keepdims=keepdim, dtype=kind)


def _with_dtype(name: str, op: Any, doc: str, samples: Any) -> Any:
    def call(
        input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, **more: Any
    ) -> Any:
        if more:
            dim, keepdim = more.pop("axis", dim), more.pop("keepdims", keepdim)
        if dtype is not None:
            input = input.to(dtype)
        return op(input, dim, keepdim, **more)

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
            f"complex dtype. Got: {str(dtypes.of(input))[6:].capitalize()}",
            f"The input has dtype {dtypes.of(input)} and shape {input.shape}.",
            "Convert it first, for instance with .float().",
        )
    n = input.size if dim is None else count(input.shape, dim)
    total = _ADD.reduce(input, axis=along(dim, input.ndim), keepdims=keepdim)
    return total / input.dtype.type(n) if total.ndim == 0 else np.divide(total, n)


mean = _with_dtype("mean", mean_of, mean_of.__doc__, REDUCED)


def _nan_filled(x: Array) -> Array:
    return np.where(np.isnan(x), x.dtype.type(0), x)


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
        raise IndexOutOfRangeError(
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
        return _ufunc.reduce(input, axis=along(dim, input.ndim), keepdims=keepdim)

    operation(
        _name,
        methods=True,
        samples=[(T(2, 3, kind="bool"),), (T(2, 3, kind="bool"), 1), (T(2, 3),)],
        doc=f"Tell whether {_name} of the values are true.",
    )(_logical)


# --- products


def _prod_back(g: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    """Multiply the others of each value: exact also where a factor is zero."""
    shape = tuple(input.shape)
    if not shape:
        return g
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
    gradient={
        "input": lambda g, dim: (
            FUNCTIONS["flip"](CALLS.cumsum(FUNCTIONS["flip"](g, (dim,)), dim), (dim,))
            if len(g.shape)
            else g
        )
    },
    functions=False,
    parity=None,
)
def cumsum_of(input: Array, dim: int) -> Any:
    """Return the running sum along a dimension."""
    if input.ndim == 0:
        return input.copy()
    kind = np.int64 if input.dtype.kind in "iub" else None
    return _ADD.accumulate(input, axis=axis(dim, input.ndim), dtype=kind)


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
    kind = np.int64 if input.dtype.kind in "iub" else None
    return _MULTIPLY.accumulate(input, axis=axis(dim, input.ndim), dtype=kind)


def _cumprod_back(g: Any, input: Any, dim: int) -> Any:
    """Sum, for each value, what the later products would change: also right at zeros."""
    shape = tuple(input.shape)
    if not shape:
        return g
    where = axis(dim, len(shape))
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
        if dtype is not None:
            input = input.to(dtype)
        return op(input, axis if dim is None else dim)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = op.__doc__
    return composite(name, methods=True, samples=[(T(2, 3), 0), (T(2, 3), -1)])(call)


cumsum = _running("cumsum", cumsum_of)
cumprod = _running("cumprod", cumprod_of)

# --- softmax and logsumexp


def softmax_array(x: Array, dim: int) -> Any:
    """Return softmax of an array along ``dim``."""
    if x.ndim == 0:
        return np.ones_like(x)
    e = np.exp(x - _MAXIMUM.reduce(x, axis=dim, keepdims=True, initial=-np.inf))
    e /= _ADD.reduce(e, axis=dim, keepdims=True)
    return e


@operation(
    "softmax",
    gradient={
        "input": lambda g, y, dim: (g - sum_of(g * y, dim, True)) * y if len(y.shape) else g * 0.0
    },
    functions=False,
    parity=None,
)
def softmax_of(input: Array, dim: int) -> Any:
    """Return values along ``dim`` made positive and to sum to 1."""
    _need_float("softmax", input)
    return softmax_array(input, axis(dim, input.ndim))


def _need_float(name: str, input: Array) -> None:
    if input.dtype.kind in "iub":
        raise UnsupportedDtypeError(
            f"\"{name}_lastdim_kernel_impl\" not implemented for '{dtypes.of(input)}'",
            f"The input has shape {input.shape}.",
            "Convert it first, for instance with .float().",
        )


@operation(
    "log_softmax",
    gradient={
        "input": lambda g, y, dim: (
            g - FUNCTIONS["exp"](y) * sum_of(g, dim, True) if len(y.shape) else g * 0.0
        )
    },
    functions=False,
    parity=None,
)
def log_softmax_of(input: Array, dim: int) -> Any:
    """Return the logarithm of softmax, exact also where softmax is near 0."""
    _need_float("log_softmax", input)
    where = axis(dim, input.ndim)
    if input.ndim == 0:
        return np.zeros_like(input)
    shifted = input - _MAXIMUM.reduce(input, axis=where, keepdims=True, initial=-np.inf)
    shifted -= np.log(_ADD.reduce(np.exp(shifted), axis=where, keepdims=True))
    return shifted


def _soft(name: str, op: Any) -> Any:
    def call(input: Any, dim: Any = None, dtype: Any = None) -> Any:
        if dtype is not None:
            input = input.to(dtype)
        if dim is None:
            # As torch's implicit choice for old code.
            dim = 0 if len(input.shape) in (0, 1, 3) else 1
        return op(input, dim)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = op.__doc__
    return composite(name, methods=True, samples=[(T(2, 3), 1), (T(2, 3, 4), 1), (T(3), 0)])(call)


softmax = _soft("softmax", softmax_of)
log_softmax = _soft("log_softmax", log_softmax_of)


@operation(
    "logsumexp",
    gradient={
        "input": lambda g, input, y, dim, keepdim: (
            spread(g, input.shape, dim, keepdim)
            * FUNCTIONS["exp"](input - spread(y, input.shape, dim, keepdim))
        )
    },
    methods=True,
    samples=[(T(2, 3), 1), (T(2, 3, 4), (0, 2)), S(T(2, 3), dim=0, keepdim=True)],
)
def logsumexp(input: Array, dim: Any, keepdim: bool = False) -> Any:
    """Return ``log(sum(exp(input)))`` without overflow."""
    where = along(dim, input.ndim)
    top = _MAXIMUM.reduce(input, axis=where, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(input.dtype)
    total = np.log(_ADD.reduce(np.exp(input - top), axis=where, keepdims=True)) + top
    return total if keepdim else total.reshape(_without(input.shape, dim))


def _without(shape: Any, dim: Any) -> tuple[int, ...]:
    gone = axes(dim, len(shape))
    return tuple([n for i, n in enumerate(shape) if i not in gone])


# --- spread of values


def _correction(unbiased: Any, correction: Any) -> Any:
    if correction is not None:
        return correction
    return 1 if unbiased is None or unbiased else 0


def _var_back(g: Any, input: Any, dim: Any, correction: Any, keepdim: bool) -> Any:
    n = count(input.shape, dim)
    centred = input - mean_of(input, dim, True)
    return spread(g, input.shape, dim, keepdim) * (
        centred * (2.0 / max(n - correction, 0) if n > correction else math.nan)
    )


@operation("var", gradient={"input": _var_back}, functions=False, parity=None)
def var_of(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Return the variance; divided by the count less ``correction``."""
    where = along(dim, input.ndim)
    n = count(input.shape, dim)
    middle = _ADD.reduce(input, axis=where, keepdims=True) / max(n, 1)
    centred = input - middle.astype(input.dtype)
    total = _ADD.reduce((centred * centred.conj()).real, axis=where, keepdims=keepdim)
    left = max(n - correction, 0)
    return (total / left if left else total * math.nan).astype(total.dtype)


def _std_back(g: Any, input: Any, y: Any, dim: Any, correction: Any, keepdim: bool) -> Any:
    flat = y == 0
    slope = g / (y * 2.0)
    return _var_back(FUNCTIONS["where"](flat, 0.0, slope), input, dim, correction, keepdim)


@operation("std", gradient={"input": _std_back}, functions=False, parity=None)
def std_of(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Return the square root of the variance."""
    return np.sqrt(var_of(input, dim, correction, keepdim))


def _spread_of_values(name: str, op: Any) -> Any:
    def call(
        input: Any,
        dim: Any = None,
        unbiased: Any = None,
        keepdim: bool = False,
        *,
        correction: Any = None,
        axis: Any = None,
    ) -> Any:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        dim = axis if dim is None else dim
        return op(input, dim, _correction(unbiased, correction), keepdim)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = op.__doc__
    samples = [
        (T(2, 3),),
        (T(2, 3), 0),
        S(T(2, 3, 4), dim=(0, 2), keepdim=True),
        S(T(2, 3), dim=1, unbiased=False),
        S(T(2, 3), dim=1, correction=0),
    ]
    return composite(name, methods=True, samples=samples)(call)


var = _spread_of_values("var", var_of)
std = _spread_of_values("std", std_of)


@composite("var_mean", samples=[(T(2, 3),), (T(2, 3), 0)])
def var_mean(input: Any, dim: Any = None, **options: Any) -> Any:
    """Return (variance, mean)."""
    return var(input, dim, **options), mean(input, dim, options.get("keepdim", False))


@composite("std_mean", samples=[(T(2, 3),), (T(2, 3), 0)])
def std_mean(input: Any, dim: Any = None, **options: Any) -> Any:
    """Return (standard deviation, mean)."""
    return std(input, dim, **options), mean(input, dim, options.get("keepdim", False))


# --- norms


def _norm_back(g: Any, input: Any, y: Any, p: float, dim: Any, keepdim: bool) -> Any:
    shape = input.shape
    g, y = spread(g, shape, dim, keepdim), spread(y, shape, dim, keepdim)
    where = FUNCTIONS["where"]
    if p == 0:
        return g * 0.0
    if p == 1:
        return g * sgn(input)
    if p == 2:
        return where(y == 0, 0.0, g * (input / y))
    if math.isinf(p):
        hit = FUNCTIONS["abs"](input) == y
        hit = hit * 1.0 if not hasattr(hit, "_a") else to_dtype(hit, g._a.dtype)
        return g * sgn(input) * (hit / sum_of(hit, dim, True))
    size = FUNCTIONS["abs"](input)
    slope = sgn(input) * size ** (p - 1) * y ** (1 - p)
    return where(y == 0, 0.0, g * slope)


@operation(
    "vector_norm",
    gradient={"input": _norm_back},
    functions=False,
    parity=None,
    grad_name="LinalgVectorNorm",
)
def norm_of(input: Array, p: float, dim: Any, keepdim: bool) -> Any:
    """Return the p-norm of the values."""
    where = along(dim, input.ndim)
    _need_float("linalg.vector_norm", input)
    size = np.abs(input)
    if p == 2:
        return np.sqrt(_ADD.reduce(size * size, axis=where, keepdims=keepdim))
    if p == 1:
        return _ADD.reduce(size, axis=where, keepdims=keepdim)
    if p == 0:
        return _ADD.reduce((size != 0).astype(size.dtype), axis=where, keepdims=keepdim)
    if p == math.inf:
        return _MAXIMUM.reduce(size, axis=where, keepdims=keepdim, initial=0)
    if p == -math.inf:
        return _MINIMUM.reduce(size, axis=where, keepdims=keepdim)
    total = _ADD.reduce(size**p, axis=where, keepdims=keepdim)
    return (total ** (1 / p)).astype(size.dtype)


@composite(
    "norm",
    methods=True,
    samples=[
        (T(2, 3),),
        S(T(2, 3), dim=1),
        S(T(2, 3), p=1, dim=0),
        S(T(2, 3), p=3, dim=1),
        S(T(2, 3), p=float("inf"), dim=1, keepdim=True),
    ],
)
def norm(
    input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    """Return the p-norm of all values, or along dimensions."""
    if dtype is not None:
        input = input.to(dtype)
    order = 2.0 if p in ("fro", None) else float(p)
    return norm_of(input, order, dim, keepdim)


@composite("dist", methods=True, samples=[(T(2, 3), T(2, 3)), (T(2, 3), T(3), 1)])
def dist(input: Any, other: Any, p: float = 2) -> Any:
    """Return the p-norm of the difference."""
    return norm(input - other, p)


@composite("count_nonzero", methods=True, samples=[(T(2, 3),), (T(2, 3), 1)])
def count_nonzero(input: Any, dim: Any = None) -> Any:
    """Return how many values are not zero."""
    return sum_(input != 0, dim)


@composite("aminmax", methods=True, samples=[(T(2, 3),), S(T(2, 3), dim=1)])
def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """Return (smallest, largest)."""
    pack = return_type("aminmax", "min", "max")
    return pack(amin(input, dim, keepdim), amax(input, dim, keepdim))
