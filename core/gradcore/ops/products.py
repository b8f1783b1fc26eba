"""Sums of products: outer products, einsum, the ``add...mm`` family, distances."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import ArgumentError, ShapeError
from gradcore.ops.arranging import diagonal
from gradcore.ops.indexing import index_of
from gradcore.ops.matrix import matmul, mismatch, swapped
from gradcore.ops.numbers import same_dtype
from gradcore.ops.registry import FUNCTIONS, METHODS, S, T, composite, operation
from gradcore.ops.shape import axes, axis, permute, reshape, unsqueeze


@composite("outer", functions=("outer", "ger"), methods=("outer", "ger"), samples=[(T(2), T(3))])
def outer(input: Any, vec2: Any) -> Any:
    """Return the product of each value of one vector with each of another."""
    return unsqueeze(input, 1) * vec2


@composite("inner", methods=True, samples=[(T(2, 3), T(4, 3)), (T(3), T(3))])
def inner(input: Any, other: Any) -> Any:
    """Return the sum of products over the last dimension of both."""
    if not len(input.shape) or not len(other.shape):
        return input * other
    return tensordot(input, other, ([-1], [-1]))


@composite("vdot", methods=True, samples=[(T(3), T(3))])
def vdot(input: Any, other: Any) -> Any:
    """Return the sum of products, the first vector conjugated."""
    return matmul(input.conj(), other)


@composite(
    "tensordot",
    samples=[(T(2, 3), T(3, 4), 1), (T(2, 3, 4), T(4, 3), ([1, 2], [1, 0])), (T(2), T(3), 0)],
)
def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Return the sum of products over several dimensions of both."""
    na, nb = len(a.shape), len(b.shape)
    if isinstance(dims, int):
        first, second = tuple(range(na - dims, na)), tuple(range(dims))
    else:
        first = axes(list(dims[0]), na) if len(dims[0]) else ()
        second = axes(list(dims[1]), nb) if len(dims[1]) else ()
    for i, j in zip(first, second, strict=True):
        if a.shape[i] != b.shape[j]:
            raise ShapeError(
                "contracted dimensions need to match, but first has size "
                f"{a.shape[i]} in dim {i} and second has size {b.shape[j]} in dim {j}",
                f"In `tensordot` of shapes {tuple(a.shape)} and {tuple(b.shape)}.",
                shapes=(tuple(a.shape), tuple(b.shape)),
            )
    rest_a = [i for i in range(na) if i not in first]
    rest_b = [i for i in range(nb) if i not in second]
    n = math.prod(a.shape[i] for i in first)
    rows = math.prod(a.shape[i] for i in rest_a)
    columns = math.prod(b.shape[i] for i in rest_b)
    left = reshape(permute(a, (*rest_a, *first)), (rows, n))
    right = reshape(permute(b, (*second, *rest_b)), (n, columns))
    out = matmul(left, right)
    return reshape(out, tuple(a.shape[i] for i in rest_a) + tuple(b.shape[i] for i in rest_b))


# --- einsum


def _letters(term: str, ndim: int, names: list[str]) -> list[str]:
    """Return one label for each dimension of an operand; ``...`` gets labels of its own."""
    head, dots, tail = term.partition("...")
    if not dots:
        return list(term)
    middle = ndim - len(head) - len(tail)
    own = [f"...{i}" for i in range(middle)][::-1]
    for name in own:
        if name not in names:
            names.append(name)
    return [*head, *own, *tail]


def _parse(equation: str, operands: Sequence[Any]) -> tuple[list[list[str]], list[str]]:
    equation = equation.replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ArgumentError(
            "einsum(): the number of operands specified in the equation was "
            f"{len(terms)}, but got {len(operands)}",
            f"The equation is {equation!r}.",
            "Write one group of letters for each operand, separated by commas.",
        )
    dots: list[str] = []
    labels = [_letters(t, len(x.shape), dots) for t, x in zip(terms, operands, strict=True)]
    for term, names, x in zip(terms, labels, operands, strict=True):
        if len(names) != len(x.shape):
            raise ShapeError(
                f"einsum(): the number of subscripts in the equation ({len(names)}) does not match "
                f"the number of dimensions ({len(x.shape)}) for an operand",
                f"The operand {term!r} has shape {tuple(x.shape)}.",
                "Write one letter for each dimension, or `...`.",
            )
    dots.sort(key=lambda name: -int(name[3:]))
    if arrow:
        head, has_dots, tail = right.partition("...")
        return labels, [*head, *(dots if has_dots else []), *tail]
    flat = [name for names in labels for name in names]
    single = sorted(n for n in set(flat) if flat.count(n) == 1 and not n.startswith("..."))
    return labels, dots + single


def _without_repeats(x: Any, names: list[str]) -> tuple[Any, list[str]]:
    """Return an operand with a label that stands twice replaced by the diagonal."""
    names = list(names)
    for name in dict.fromkeys(names):
        while names.count(name) > 1:
            first = names.index(name)
            second = names.index(name, first + 1)
            x = diagonal(x, 0, first, second)
            names = [n for i, n in enumerate(names) if i not in (first, second)] + [name]
    return x, names


def _pair(
    a: Any, first: list[str], b: Any, second: list[str], wanted: set[str]
) -> tuple[Any, list[str]]:
    """Multiply two operands and sum over the labels that nobody wants any more."""
    sizes: dict[str, int] = {}
    for x, names in ((a, first), (b, second)):
        for name, size in zip(names, x.shape, strict=True):
            sizes[name] = max(sizes.get(name, 1), size)
    for side, x, names in ((0, a, first), (1, b, second)):
        # A label of size 1 that the other has in full is dropped: it broadcasts.
        other = second if side == 0 else first
        for name in list(names):
            i = names.index(name)
            if x.shape[i] == 1 and sizes[name] != 1 and name in other:
                x, names = x.squeeze(i), names[:i] + names[i + 1 :]
            elif name not in other and name not in wanted:
                x, names = x.sum(i), names[:i] + names[i + 1 :]
        if side == 0:
            a, first = x, names
        else:
            b, second = x, names
    both = [name for name in first if name in second]
    batch = [name for name in both if name in wanted]
    summed = [name for name in both if name not in wanted]
    only_a = [name for name in first if name not in both]
    only_b = [name for name in second if name not in both]
    left = permute(a, [first.index(name) for name in (*batch, *only_a, *summed)])
    right = permute(b, [second.index(name) for name in (*batch, *summed, *only_b)])

    def count(names: list[str]) -> int:
        return math.prod(sizes[name] for name in names)

    left = reshape(left, (count(batch), count(only_a), count(summed)))
    right = reshape(right, (count(batch), count(summed), count(only_b)))
    names = [*batch, *only_a, *only_b]
    # One product of values each: no need for a matrix product.
    product = matmul(left, right) if summed else left * right
    return reshape(product, tuple(sizes[name] for name in names)), names


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _from_lists(first: Any, rest: Any) -> tuple[str, tuple[Any, ...]]:
    """Read the form ``einsum(x, [0, 1], y, [1, 2], [0, 2])`` as an equation."""
    items = [first, *rest]
    result = items.pop() if len(items) % 2 else None

    def text(places: Any) -> str:
        return "".join("..." if place is Ellipsis else _LETTERS[place] for place in places)

    equation = ",".join(text(places) for places in items[1::2])
    return equation + ("" if result is None else "->" + text(result)), tuple(items[::2])


@composite(
    "einsum",
    samples=[
        ("ij,jk->ik", T(2, 3), T(3, 4)),
        ("bij,bjk->bik", T(2, 2, 3), T(2, 3, 4)),
        ("ii->i", T(3, 3)),
        ("ii", T(3, 3)),
        ("ij->", T(2, 3)),
        ("ij->ji", T(2, 3)),
        ("i,j->ij", T(2), T(3)),
        ("bhid,bhjd->bhij", T(2, 2, 3, 2), T(2, 2, 4, 2)),
        ("...ij,...jk", T(2, 2, 3), T(3, 4)),
        ("ij,jk,kl->il", T(2, 3), T(3, 4), T(4, 2)),
        ("bn,anm,bm->ba", T(2, 3), T(4, 3, 2), T(2, 2)),
        ("ij,ij->i", T(2, 3), T(2, 3)),
    ],
)
def einsum(equation: Any, *operands: Any) -> Any:
    """Return the sum of products that the equation names, letter by letter."""
    if not isinstance(equation, str):
        equation, operands = _from_lists(equation, operands)
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    labels, result = _parse(equation, operands)
    pairs = [_without_repeats(x, names) for x, names in zip(operands, labels, strict=True)]
    total, names = pairs[0]
    for i, (x, others) in enumerate(pairs[1:], 2):
        wanted = set(result).union(*[later for _, later in pairs[i:]])
        total, names = _pair(total, names, x, others, wanted)
    gone = tuple(i for i, name in enumerate(names) if name not in result)
    if gone:
        total = total.sum(gone)
        names = [name for name in names if name in result]
    return permute(total, [names.index(name) for name in result])


# --- beta * input + alpha * product


def _scaled(value: Any, factor: Any) -> Any:
    return value if factor == 1 else value * factor


def _add_product(name: str, product: Any, samples: Sequence[Any], doc: str) -> None:
    def call(input: Any, first: Any, second: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        made = _scaled(product(first, second), alpha)
        return made if beta == 0 else _scaled(input, beta) + made

    def call_(self: Any, first: Any, second: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        return self.copy_(call(self, first, second, beta=beta, alpha=alpha))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    call_.__name__ = call_.__qualname__ = name + "_"
    call_.__doc__ = f"In-place form of ``{name}``."
    composite(name, methods=True, samples=samples)(call)
    METHODS[name + "_"] = call_


def _addmm(input: Array, mat1: Array, mat2: Array, beta: Any = 1, alpha: Any = 1) -> Any:
    same_dtype(mat1, mat2)
    try:
        made = np.matmul(mat1, mat2)
        made = made if alpha == 1 else made * alpha
        return made if beta == 0 else np.add(made, input if beta == 1 else input * beta)
    except ValueError as error:
        raise mismatch("addmm", (mat1, mat2), error) from None


addmm = operation(
    "addmm",
    inputs=3,
    gradient={
        "input": lambda g, beta: _scaled(g, beta),
        "mat1": lambda g, mat2, alpha: _scaled(matmul(g, swapped(mat2)), alpha),
        "mat2": lambda g, mat1, alpha: _scaled(matmul(swapped(mat1), g), alpha),
    },
    methods=True,
    inplace=True,
    samples=[(T(4), T(2, 3), T(3, 4)), S(T(2, 4), T(2, 3), T(3, 4), beta=0.5, alpha=2)],
    doc="Return ``beta * input + alpha * (mat1 @ mat2)``.",
)(_addmm)
_add_product(
    "addmv", matmul, [(T(2), T(2, 3), T(3))], "Return ``beta * input + alpha * (mat @ vec)``."
)
_add_product(
    "addr", outer, [(T(2, 3), T(2), T(3))], "Return ``beta * input + alpha * outer(vec1, vec2)``."
)
_add_product(
    "baddbmm",
    matmul,
    [(T(2, 2, 4), T(2, 2, 3), T(2, 3, 4))],
    "Return ``beta * input + alpha * (batch1 @ batch2)``.",
)
_add_product(
    "addbmm",
    lambda a, b: matmul(a, b).sum(0),
    [(T(2, 4), T(2, 2, 3), T(2, 3, 4))],
    "Return ``beta * input + alpha * sum(batch1 @ batch2)``.",
)

# --- geometry


@composite("cross", methods=True, samples=[S(T(2, 3), T(2, 3), dim=1), S(T(3, 2), T(3, 2), dim=0)])
def cross(input: Any, other: Any, dim: int | None = None) -> Any:
    """Return the vector at right angles to two vectors of three."""
    ndim = max(len(input.shape), len(other.shape))
    if dim is None:
        dim = next(i for i, n in enumerate(input.shape) if n == 3)
    where = axis(dim, ndim) - ndim
    a = FUNCTIONS["unbind"](input, where)
    b = FUNCTIONS["unbind"](other, where)
    parts = [a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]
    return FUNCTIONS["stack"](parts, where)


def _euclidean_first(g: Any, x1: Any, x2: Any, y: Any) -> Any:
    share = _share_of(g, y)
    return x1 * share.sum(-1)[..., None] - share @ x2


def _euclidean_second(g: Any, x1: Any, x2: Any, y: Any) -> Any:
    return _euclidean_first(g.swapaxes(-1, -2), x2, x1, y.swapaxes(-1, -2))


def _share_of(g: Any, y: Any) -> Any:
    """Return ``g / y``; where two rows are equal, nothing goes back to them."""
    is_apart = y != 0
    return FUNCTIONS["where"](is_apart, g, 0.0) / FUNCTIONS["where"](is_apart, y, 1.0)


@operation(
    "euclidean",
    inputs=2,
    gradient={"x1": _euclidean_first, "x2": _euclidean_second},
    functions=False,
    samples=[(T(3, 2), T(4, 2)), (T(2, 3, 2), T(2, 4, 2))],
    parity=None,
    grad_name="CdistBackward",
)
def euclidean(x1: Array, x2: Array) -> Any:
    """Return the distances of all rows of one from all of the other, through their products."""
    squares = x1 @ (x2.swapaxes(-1, -2) * -2.0)
    squares += (x1 * x1).sum(-1)[..., None]
    squares += (x2 * x2).sum(-1)[..., None, :]
    return np.sqrt(np.maximum(squares, 0))


_MANY_ROWS = 25


@composite(
    "cdist",
    samples=[(T(2, 3), T(4, 3)), (T(2, 2, 3), T(2, 4, 3), 1.0), (T(30, 3, low=2, high=9), T(2, 3))],
)
def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: Any = None) -> Any:
    """Return the p-norm of the difference of each row of one with each row of the other."""
    # As torch: through products where there are many rows.
    by_products = compute_mode == "use_mm_for_euclid_dist" or (
        compute_mode in (None, "use_mm_for_euclid_dist_if_necessary")
        and max(x1.shape[-2], x2.shape[-2]) > _MANY_ROWS
    )
    if p == 2 and by_products:
        return euclidean(x1, x2)
    return FUNCTIONS["norm"](unsqueeze(x1, -2) - unsqueeze(x2, -3), p, -1)


@composite("pdist", samples=[(T(4, 3),)], parity=None)
def pdist(input: Any, p: float = 2.0) -> Any:
    """Return the p-norm of the difference of each row with each later row."""
    first, second = np.triu_indices(input.shape[0], 1)
    return FUNCTIONS["norm"](index_of(input, first) - index_of(input, second), p, -1)


@composite("kron", methods=True, samples=[(T(2, 3), T(2, 2)), (T(2), T(3))])
def kron(input: Any, other: Any) -> Any:
    """Return blocks of ``other``, each multiplied by one value of ``input``."""
    ndim = max(len(input.shape), len(other.shape))
    a = (1,) * (ndim - len(input.shape)) + tuple(input.shape)
    b = (1,) * (ndim - len(other.shape)) + tuple(other.shape)
    left = reshape(input, tuple(n for size in a for n in (size, 1)))
    right = reshape(other, tuple(n for size in b for n in (1, size)))
    return reshape(left * right, tuple(m * n for m, n in zip(a, b, strict=True)))


@composite("chain_matmul", samples=[(T(2, 3), T(3, 4), T(4, 2))], parity=None)
def chain_matmul(*matrices: Any) -> Any:
    """Return the product of several matrices."""
    total = matrices[0]
    for item in matrices[1:]:
        total = matmul(total, item)
    return total


@composite("vander", samples=[(T(3),), (T(3), 4), S(T(3), increasing=True)], parity=None)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """Return the powers of each value, one column each."""
    count = x.shape[0] if N is None else N
    powers = range(count) if increasing else range(count - 1, -1, -1)
    return FUNCTIONS["stack"]([x**k for k in powers], -1)
