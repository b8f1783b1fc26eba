"""Sorting and what rests on it: the largest values, medians, quantiles, distinct values, counts."""

import math
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array
from gradcore.errors import DtypeError, ShapeError, ValueRangeError
from gradcore.graph import TensorBase, ask, wrap
from gradcore.ops.indexing import gather_of, pick, put_along
from gradcore.ops.ranks import order, outermost
from gradcore.ops.reduction import return_type
from gradcore.ops.registry import FUNCTIONS, S, T, composite, operation
from gradcore.ops.shape import axis, reshape


def _sort_back(g: Any, indices: Any, input_shape: Any, dim: int) -> Any:
    return put_along(g[0], indices, tuple(input_shape), dim) if len(input_shape) else g[0]


@operation(
    "sort",
    gradient={"input": _sort_back},
    outputs=("values", "indices"),
    methods=True,
    pack=return_type("sort", "values", "indices"),
    samples=[(T(2, 3),), (T(2, 3), 0), S(T(2, 3), dim=1, descending=True)],
)
def sort(input: Array, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Return (values, indices) in order along a dimension."""
    if input.ndim == 0:
        return input.copy(), np.zeros((), np.int64)
    where = axis(dim, input.ndim)
    indices = order(input, where, descending)
    return np.take_along_axis(input, indices, where), indices


@operation(
    "argsort",
    methods=True,
    samples=[(T(2, 3),), (T(2, 3), 0), S(T(2, 3), dim=1, descending=True)],
)
def argsort(input: Array, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Return the positions that put a dimension in order."""
    return sort.operation.kernel(input, dim, descending)[1]


@composite("msort", methods=True, samples=[(T(3, 2),)])
def msort(input: Any) -> Any:
    """Return the values in order along the first dimension."""
    return sort(input, 0)[0]


@operation(
    "topk",
    gradient={
        "input": lambda g, indices, input_shape, dim: (
            put_along(g[0], indices, tuple(input_shape), dim) if len(input_shape) else g[0]
        )
    },
    outputs=("values", "indices"),
    methods=True,
    pack=return_type("topk", "values", "indices"),
    samples=[(T(2, 5), 2), S(T(2, 5), 3, largest=False), S(T(5, 2), 2, dim=0)],
)
def topk(input: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """Return (values, indices) of the ``k`` largest along a dimension."""
    if input.ndim == 0:
        return input.copy(), np.zeros((), np.int64)
    where = axis(dim, input.ndim)
    if not 0 <= k <= input.shape[where]:
        raise ShapeError(
            "selected index k out of range",
            f"k is {k}, the dimension has size {input.shape[where]}.",
            "Choose k between 0 and the size.",
        )
    indices = outermost(input, where, k) if largest else None
    if indices is None:
        indices = np.take(order(input, where, largest), np.arange(k), axis=where)
    return np.take_along_axis(input, indices, where), indices


def _pick_ordered(name: str, position: Any) -> Any:
    """Return a composite that picks one value in order along a dimension."""

    def position_in(flat: Any) -> Any:
        return ask(position, flat) if isinstance(flat, TensorBase) else position(flat)

    def call(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if dim is None:
            flat = reshape(input, (-1,))
            if not flat.shape[0]:
                return FUNCTIONS["sum"](flat) + math.nan
            return pick(sort(flat, 0)[0], position_in(flat))
        where = axis(dim, len(input.shape))
        indices = order(input._a, where, False)
        chosen = _at_middle(input._a, indices, where, name) if len(input.shape) else indices
        return _gathered(input, where, wrap(chosen), keepdim, name)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = "Return the middle value, the lower one of two; along a dim (values, indices)."
    return call


def _at_middle(a: Array, indices: Array, where: int, name: str) -> Array:
    """Return where the middle value of each row stands; of a row with nan, the first nan."""
    size = a.shape[where]
    known = np.expand_dims((a == a).sum(where), where)
    if name == "nanmedian":
        places = np.maximum(known - 1, 0) // 2
    else:
        places = np.where(known < size, known, (size - 1) // 2)
    found: Array = np.take_along_axis(indices, np.minimum(places, size - 1), where)
    return found


def _gathered(input: Any, where: int, indices: Any, keepdim: bool, name: str) -> Any:
    pack = return_type(name, "values", "indices")
    if not len(input.shape):
        return pack(input, wrap(np.zeros((), np.int64)))
    values = gather_of(input, where, indices)
    if not keepdim:
        values, indices = values.squeeze(where), indices.squeeze(where)
    return pack(values, indices)


median = composite("median", methods=True, samples=[(T(2, 3),), (T(2, 4), 1), (T(3, 2), 0, True)])(
    _pick_ordered("median", lambda flat: -1 if np.isnan(flat).any() else (flat.size - 1) // 2)
)
nanmedian = composite("nanmedian", methods=True, samples=[(T(2, 3),)])(
    _pick_ordered("nanmedian", lambda flat: max(int((~np.isnan(flat)).sum()) - 1, 0) // 2)
)


@composite("kthvalue", methods=True, samples=[(T(2, 4), 2), (T(4, 2), 3, 0), (T(2, 4), 1, 1, True)])
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """Return (values, indices) of the k-th smallest along a dimension."""
    where = axis(dim, len(input.shape))
    if not 1 <= k <= (input.shape[where] if len(input.shape) else 1):
        raise ShapeError(f"kthvalue(): selected number k out of range for dimension {where}")
    indices = np.take(order(input._a, where, False), [k - 1], axis=where)
    return _gathered(input, where, wrap(indices), keepdim, "kthvalue")


@composite("mode", methods=True, samples=[(T(values=[[1, 2, 2], [3, 3, 1]]),)])
def mode(input: Any, dim: int = -1, keepdim: bool = False) -> Any:
    """Return (values, indices) of the most frequent value along a dimension."""
    where = axis(dim, len(input.shape))

    def common(row: Array) -> int:
        values, counts = np.unique(row, return_counts=True)
        best = values[np.argmax(counts)]
        return int(np.flatnonzero(row == best)[-1])

    indices = np.expand_dims(np.apply_along_axis(common, where, input._a), where)
    return _gathered(input, where, wrap(indices), keepdim, "mode")


QUANTILES = [
    (T(7), 0.3),
    (T(2, 5), 0.5),
    S(T(2, 5), 0.25, dim=1),
    S(T(5, 2), 0.6, 0, True),
    S(T(2, 5), T(values=[0.1, 0.9]), dim=1),
]


@composite("quantile", methods=True, samples=QUANTILES)
def quantile(
    input: Any, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Any:
    """Return the value below which the share ``q`` of all values lies."""
    if input._a.dtype.kind != "f":
        raise DtypeError("quantile() input tensor must be either float or double dtype")
    if not isinstance(q, TensorBase) and not 0 <= q <= 1:
        raise ShapeError(f"quantile() q must be in the range [0, 1] but got {q:g}")
    if dim is None:
        ordered, where = sort(reshape(input, (-1,)), 0)[0], 0
    else:
        where = axis(dim, len(input.shape))
        ordered = sort(input, where)[0]
    spoilt = (ordered != ordered).any(where)
    shares = q._a if isinstance(q, TensorBase) else np.asarray(q)
    given = FUNCTIONS["unbind"](reshape(q, (-1,))) if isinstance(q, TensorBase) else (float(q),)
    mask = FUNCTIONS["where"]
    parts = [
        mask(spoilt, math.nan, _at_share(ordered, where, share, interpolation)) for share in given
    ]
    if keepdim:
        parts = [
            part.unsqueeze(where) if dim is not None else reshape(part, (1,) * len(input.shape))
            for part in parts
        ]
    return parts[0] if shares.ndim == 0 else FUNCTIONS["stack"](parts, 0)


def _at_share(ordered: Any, where: int, share: Any, interpolation: str) -> Any:
    last = ordered.shape[where] - 1
    place = float(share) * last
    below, above = math.floor(place), math.ceil(place)
    choices = {"lower": below, "higher": above, "nearest": round(place)}
    head = (slice(None),) * where
    if interpolation in choices:
        return pick(ordered, (*head, choices[interpolation]))
    low, high = pick(ordered, (*head, below)), pick(ordered, (*head, above))
    weight = 0.5 if interpolation == "midpoint" else share * last - below
    return low + (high - low) * weight


@composite("nanquantile", methods=True, samples=[(T(7), 0.3), S(T(2, 5), 0.5, dim=1)])
def nanquantile(input: Any, q: float, dim: Any = None, keepdim: bool = False) -> Any:
    """Return the quantile of the values that are not nan."""
    if dim is None:
        flat = reshape(input, (-1,))
        known = flat[flat == flat]
        return quantile(known if known.shape[0] else flat, q)
    where = axis(dim, len(input.shape))
    rest = [n for i, n in enumerate(input.shape) if i != where]
    rows = reshape(FUNCTIONS["movedim"](input, where, -1), (-1, input.shape[where]))
    parts = [nanquantile(row, q) for row in FUNCTIONS["unbind"](rows, 0)]
    out = reshape(FUNCTIONS["stack"](parts, 0), tuple(rest))
    return out.unsqueeze(where) if keepdim else out


# --- running extremes

for _name, _ufunc in (("cummax", np.maximum), ("cummin", np.minimum)):

    def _running(input: Array, dim: int, *, _ufunc: Any = _ufunc) -> Any:
        if input.ndim == 0:
            return input.copy(), np.zeros((), np.int64)
        where = axis(dim, input.ndim)
        values = _ufunc.accumulate(input, axis=where)
        shape = [-1 if i == where else 1 for i in range(input.ndim)]
        places = np.arange(input.shape[where]).reshape(shape)
        reached = np.where((input == values) | (input != input), places, 0)
        return values, np.maximum.accumulate(reached, axis=where)

    operation(
        _name,
        gradient={"input": _sort_back},
        outputs=("values", "indices"),
        methods=True,
        samples=[(T(3, 4), 0), (T(3, 4), -1)],
        pack=return_type(_name, "values", "indices"),
        doc="Return (values, indices) of the extreme so far along a dimension.",
    )(_running)


@composite("logcumsumexp", methods=True, samples=[(T(3, 4), 0), (T(3, 4), 1)])
def logcumsumexp(input: Any, dim: int) -> Any:
    """Return the logarithm of the running sum of exponentials."""
    where = axis(dim, len(input.shape))
    top = FUNCTIONS["amax"](input, where, True).detach()
    return (FUNCTIONS["cumsum"]((input - top).exp(), where)).log() + top


@composite("diff", methods=True, samples=[(T(2, 4),), (T(4, 2), 2, 0)])
def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Return the differences of neighbours, ``n`` times."""
    where = axis(dim, len(input.shape))
    ends = [item for item in (prepend, input, append) if item is not None]
    out = FUNCTIONS["cat"](ends, where) if len(ends) > 1 else input
    head = (slice(None),) * where
    for _ in range(n):
        after, before = pick(out, (*head, slice(1, None))), pick(out, (*head, slice(0, -1)))
        out = after ^ before if input._a.dtype.kind == "b" else after - before
    return out


# --- distinct values and counts

REPEATED = T(values=[3, 1, 1, 2, 3, 3])


@composite(
    "unique",
    told=True,
    methods=True,
    samples=[
        (REPEATED,),
        S(REPEATED, return_inverse=True, return_counts=True),
        S(T(values=[[1, 2], [3, 4], [1, 2]]), dim=0),
    ],
)
def unique(
    input: Any,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return the distinct values in order, and where asked for their places and counts."""
    found = _counted(input._a) if dim is None else None
    if found is None:
        found = np.unique(input._a, return_inverse=True, return_counts=True, axis=dim)
    values, inverse, counts = found
    inverse = inverse.reshape(input._a.shape if dim is None else (-1,))
    chosen = [values] + [inverse] * return_inverse + [counts] * return_counts
    made = tuple(wrap(item) for item in chosen)
    return made[0] if len(made) == 1 else made


def _counted(a: Array) -> tuple[Any, ...] | None:
    """Return distinct whole numbers that lie close together, their places and counts."""
    if a.dtype.kind not in "iu" or not a.size:
        return None
    low, high = int(a.min()), int(a.max())
    if high - low > a.size or high >= 1 << 62:
        return None
    shifted = a.reshape(-1) - a.dtype.type(low)
    counts = np.bincount(shifted)
    values = np.flatnonzero(counts)
    places = np.zeros(len(counts), np.int64)
    places[values] = np.arange(len(values))
    return (values + low).astype(a.dtype), places.take(shifted), counts.take(values)


@composite(
    "unique_consecutive",
    told=True,
    methods=True,
    samples=[(REPEATED,), S(REPEATED, return_inverse=True, return_counts=True)],
)
def unique_consecutive(
    input: Any, return_inverse: bool = False, return_counts: bool = False, dim: Any = None
) -> Any:
    """Return the values with runs of equal ones taken together."""
    flat = input._a.reshape(-1)
    starts = np.concatenate(([True], flat[1:] != flat[:-1])) if flat.size else np.zeros(0, bool)
    counts = np.diff(np.append(np.flatnonzero(starts), flat.size))
    inverse = (np.cumsum(starts) - 1).reshape(input._a.shape)
    chosen = [flat[starts]] + [inverse] * return_inverse + [counts] * return_counts
    made = tuple(wrap(item) for item in chosen)
    return made[0] if len(made) == 1 else made


@composite(
    "bincount",
    told=True,
    methods=True,
    samples=[(REPEATED,), S(REPEATED, minlength=6), (REPEATED, T(6))],
    gradcheck=False,
    parity=None,
)
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """Return how often each whole number occurs (or the sum of its weights)."""
    if input._a.size and input._a.min() < 0:
        raise ValueRangeError(
            "bincount only supports 1-d non-negative integral inputs.",
            f"The smallest value is {input._a.min()}.",
        )
    factors = None if weights is None else weights._a
    out = np.bincount(input._a, factors, minlength)
    return wrap(out if factors is None else out.astype(factors.dtype))


@composite(
    "histc",
    told=True,
    methods=True,
    samples=[(T(9), 4), (T(9), 4, -1, 1)],
    gradcheck=False,
    parity=None,
)
def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """Return how many values fall into each of ``bins`` equal ranges."""
    a = input._a
    if min == 0 and max == 0 and a.size:
        min, max = float(a.min()), float(a.max())
    counts, _ = np.histogram(a, bins, (min, max))
    return wrap(counts.astype(a.dtype))


SORTED = T(values=[0.1, 0.5, 0.5, 0.9])


@composite(
    "searchsorted",
    told=True,
    samples=[(SORTED, T(2, 3, low=0, high=1)), S(SORTED, T(values=[0.5, 0.2]), right=True)],
)
def searchsorted(
    sorted_sequence: Any,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
) -> Any:
    """Return where values would have to be put in to keep a sequence in order."""
    way: Any = side or ("right" if right else "left")
    sequence = sorted_sequence._a
    values = input._a if isinstance(input, TensorBase) else np.asarray(input)
    if sequence.ndim == 1:
        found = np.searchsorted(sequence, values, way)
    else:
        rows = zip(
            sequence.reshape(-1, sequence.shape[-1]),
            values.reshape(-1, values.shape[-1]),
            strict=True,
        )
        found = np.stack([np.searchsorted(a, b, way) for a, b in rows]).reshape(values.shape)
    return wrap(np.asarray(found).astype(np.int32 if out_int32 else np.int64))


@composite("bucketize", methods=True, samples=[(T(2, 3, low=0, high=1), SORTED)])
def bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    """Return the number of the range between boundaries that each value falls in."""
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@composite("cov", methods=True, samples=[(T(2, 5),), (T(5),), S(T(2, 5), correction=0)])
def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """Return the covariance of the rows; observations may be repeated, or weigh unequally."""
    if input._a.dtype.kind in "iub":
        input = input.to(dtypes.get_default_dtype())
    rows = input if len(input.shape) > 1 else input.unsqueeze(0)
    if fweights is None and aweights is None:
        centred = rows - rows.mean(1, True)
        out = centred @ centred.mT / max(rows.shape[1] - correction, 0)
        return out if len(input.shape) > 1 else reshape(out, ())
    weights = rows[0] * 0.0 + 1.0 if fweights is None else fweights.to(rows.dtype)
    total = weights.sum()
    left = total - correction
    if aweights is not None:
        weights = weights * aweights
        total = weights.sum()
        left = total - correction * (weights * aweights).sum() / total
    centred = rows - (rows * weights).sum(1, True) / total
    out = (centred * weights) @ centred.mT / left.clamp_min(0)
    return out if len(input.shape) > 1 else reshape(out, ())


@composite("corrcoef", methods=True, samples=[(T(3, 5),)])
def corrcoef(input: Any) -> Any:
    """Return the correlation of the rows."""
    spread = cov(input)
    if not len(spread.shape):
        return spread / spread
    scale = FUNCTIONS["diagonal"](spread).sqrt()
    return spread / scale.unsqueeze(1) / scale.unsqueeze(0)


@composite(
    "trapezoid",
    functions=("trapezoid", "trapz"),
    samples=[(T(2, 4),), (T(2, 4), T(4)), S(T(2, 4), dx=0.5)],
)
def trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    """Return the area under points joined by straight lines."""
    where = axis(dim, len(y.shape))
    head = (slice(None),) * where
    middle = (pick(y, (*head, slice(1, None))) + pick(y, (*head, slice(0, -1)))) * 0.5
    width = dx if x is None else diff(x, 1, -1)
    return (middle * width).sum(where)
