"""``torch.linalg``: factorizations, inverses, determinants; with gradients for real matrices."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import LinAlgError, ShapeError
from gradcore.graph import ask, wrap
from gradcore.ops.arranging import diag_embed, diagonal
from gradcore.ops.elementwise import conj
from gradcore.ops.matrix import matmul, swapped
from gradcore.ops.numbers import halvings
from gradcore.ops.products import chain_matmul, cross, vander
from gradcore.ops.reduction import return_type
from gradcore.ops.registry import CALLS, FUNCTIONS, OPERATIONS, T, composite, operation
from gradcore.ops.shape import axes, unsqueeze
from gradcore.ops.statistics import norm, norm_of

LINALG: dict[str, Any] = {}
"""The functions of ``gradcore.linalg``."""

SQUARE = T(3, 3, kind="positive_definite")
STACK = T(2, 3, 3, kind="positive_definite")


def _triangle(name: str) -> Any:
    return OPERATIONS[name].call


def square(name: str, a: Array) -> None:
    """Refuse anything but a square matrix or a stack of them."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(
            f"{name}: A must be batches of square matrices, but they are "
            f"{'x'.join(map(str, a.shape[-2:]))}",
            f"The input has shape {a.shape}.",
            "Its last two dimensions must be equal.",
            shapes=(a.shape,),
        )


def _identity(a: Any) -> Any:
    return wrap(np.eye(a.shape[-1], dtype=a._a.dtype))


def _numpy(name: str, function: Any, *arrays: Any) -> Any:
    try:
        return function(*arrays)
    except np.linalg.LinAlgError as error:
        reasons = {
            "linalg.inv": "The inversion could not be completed because the input matrix is "
            "singular.",
            "linalg.solve": "The solver failed because the input matrix is singular.",
        }
        raise LinAlgError(
            f"{name}: {reasons.get(name, f'The algorithm failed to converge: {error}')}",
            f"The input has shape {arrays[0].shape}.",
            "Add a small multiple of the identity, or use a least-squares solution.",
        ) from None


def _svd(a: Array, full: bool) -> Any:
    # LAPACK may search for singular values of infinities without end.
    if not np.isfinite(a).all():
        what = "The algorithm failed to converge because the input matrix contained non-finite"
        raise LinAlgError(f"linalg.svd: {what} values.", "", "Look for what made the first one.")
    return _numpy("linalg.svd", np.linalg.svd, a, full)


def _enter(name: str, *others: str) -> Callable[[Any], Any]:
    """Put a function under ``linalg`` too."""

    def keep(function: Any) -> Any:
        for item in (name, *others):
            LINALG[item] = function
        return function

    return keep


@_enter("inv")
@operation(
    "inverse",
    gradient={"input": lambda g, y: -matmul(matmul(swapped(y), g), swapped(y))},
    methods=True,
    samples=[(SQUARE,), (STACK,)],
)
def inverse(input: Array) -> Any:
    """Return the inverse of a matrix."""
    square("linalg.inv", input)
    return _numpy("linalg.inv", np.linalg.inv, input)


@_enter("det")
@operation(
    "det",
    gradient={"input": lambda g, input, y: (g * y)[..., None, None] * swapped(inverse(input))},
    methods=True,
    samples=[(SQUARE,), (STACK,)],
)
def det(input: Array) -> Any:
    """Return the determinant."""
    square("linalg.det", input)
    return np.linalg.det(input)


@_enter("slogdet")
@operation(
    "slogdet",
    gradient={
        "input": lambda g, input: (
            None if g[1] is None else g[1][..., None, None] * swapped(inverse(input))
        )
    },
    outputs=("sign", "logabsdet"),
    methods=True,
    pack=return_type("linalg_slogdet", "sign", "logabsdet"),
    samples=[],
)
def slogdet(input: Array) -> Any:
    """Return the sign and the logarithm of the size of the determinant."""
    square("linalg.slogdet", input)
    sign, size = np.linalg.slogdet(input)
    return np.asarray(sign), np.asarray(size)


@composite("logdet", methods=True, samples=[(SQUARE,), (STACK,)])
def logdet(input: Any) -> Any:
    """Return the logarithm of the determinant; nan where that is negative."""
    sign, size = slogdet(input)
    return size + sign.detach().log()


def _is_vectors(matrices: Any, right: Any) -> bool:
    """Tell whether a right side is one vector for each matrix, as torch tells it."""
    return len(right) == 1 or (
        len(right) == len(matrices) - 1 and tuple(right) == tuple(matrices[:-1])
    )


def _solve_left(g: Any, A: Any, y: Any) -> Any:
    back = solve_of(swapped(A), g)
    if _is_vectors(A.shape, y.shape):
        return -back[..., None] * conj(y)[..., None, :]
    return -matmul(back, swapped(y))


@operation(
    "solve",
    inputs=2,
    gradient={"A": _solve_left, "B": lambda g, A: CALLS.solve(swapped(A), g)},
    functions=False,
    parity=None,
    grad_name="LinalgSolveEx",
    samples=[(SQUARE, T(3, 2)), (STACK, T(2, 3, 2)), (SQUARE, T(3))],
)
def solve_of(A: Array, B: Array) -> Any:
    """Return X with ``A @ X = B``."""
    square("linalg.solve", A)
    if _is_vectors(A.shape, B.shape):
        return _numpy("linalg.solve", np.linalg.solve, A, B[..., None])[..., 0]
    return _numpy("linalg.solve", np.linalg.solve, A, B)


LINALG["solve"] = solve_of


def _half(x: Any) -> Any:
    """Return the lower triangle with its diagonal halved."""
    return _triangle("tril")(x) - diag_embed(diagonal(x, 0, -2, -1)) * 0.5


def _cholesky_back(g: Any, y: Any) -> Any:
    inner = _half(matmul(swapped(y), g))
    inner = inner + swapped(inner)
    left = solve_of(swapped(y), inner)
    return swapped(solve_of(swapped(y), swapped(left))) * 0.5


@operation(
    "cholesky",
    gradient={"input": _cholesky_back},
    functions=False,
    parity=None,
    gradcheck=False,
)
def cholesky_of(input: Array) -> Any:
    """Return the lower triangle L with ``L @ L.T = input``."""
    square("linalg.cholesky", input)
    try:
        return np.linalg.cholesky(input)
    except np.linalg.LinAlgError:
        raise LinAlgError(
            "linalg.cholesky: The factorization could not be completed because the input is not "
            "positive-definite",
            f"The input has shape {input.shape}.",
            "Add a small multiple of the identity.",
        ) from None


@composite("cholesky", methods=True, parity=None)
def cholesky(input: Any, upper: bool = False) -> Any:
    """Return the lower triangle L with ``L @ L.T = input`` (its transpose with ``upper``)."""
    lower = cholesky_of(input)
    return lower.mT if upper else lower


@_enter("cholesky")
def linalg_cholesky(A: Any, *, upper: bool = False) -> Any:
    """Return the lower triangle L with ``L @ L.T = A``."""
    return cholesky(A, upper)


def _qr_back(g: Any, Q: Any, R: Any) -> Any:
    first, second = g
    inner = None
    if second is not None:
        inner = matmul(R, swapped(second))
    if first is not None:
        part = matmul(swapped(first), Q)
        inner = -part if inner is None else inner - part
    lower = _triangle("tril")(inner, -1)
    filled = lower + swapped(lower) + _triangle("tril")(_triangle("triu")(inner))
    total = matmul(Q, filled)
    if first is not None:
        total = total + first
    return swapped(solve_of(R, swapped(total)))


@operation(
    "qr",
    gradient={"input": _qr_back},
    outputs=("Q", "R"),
    functions=False,
    parity=None,
    samples=[(T(4, 3),), (T(3, 3),)],
    pack=return_type("linalg_qr", "Q", "R"),
)
def qr_of(input: Array) -> Any:
    """Return an orthogonal Q and a triangle R with ``Q @ R = input``."""
    return np.linalg.qr(input)


def _gaps(values: Any) -> Any:
    """Return ``1 / (v_j - v_i)``, 0 on the diagonal."""
    apart = unsqueeze(values, -2) - unsqueeze(values, -1)
    same = np.eye(values.shape[-1], dtype=bool)
    where = FUNCTIONS["where"]
    mask = same if isinstance(values, np.ndarray) else wrap(same)
    return where(mask, 0.0, 1.0 / where(mask, 1.0, apart))


def _eigh_back(g: Any, eigenvalues: Any, eigenvectors: Any) -> Any:
    values, vectors = g
    inner = None
    if vectors is not None:
        inner = matmul(swapped(eigenvectors), vectors) * _gaps(eigenvalues)
    if values is not None:
        part = diag_embed(values)
        inner = part if inner is None else inner + part
    return matmul(matmul(eigenvectors, inner), swapped(eigenvectors))


@_enter("eigh")
@operation(
    "eigh",
    gradient={"input": _eigh_back},
    outputs=("eigenvalues", "eigenvectors"),
    functions=False,
    parity=None,
    gradcheck=False,
    pack=return_type("linalg_eigh", "eigenvalues", "eigenvectors"),
)
def eigh(input: Array, UPLO: str = "L") -> Any:
    """Return eigenvalues, smallest first, and eigenvectors of a symmetric matrix."""
    square("linalg.eigh", input)
    return _numpy("linalg.eigh", np.linalg.eigh, input)


@_enter("eigvalsh")
def eigvalsh(A: Any, UPLO: str = "L") -> Any:
    """Return the eigenvalues, smallest first, of a symmetric matrix."""
    return eigh(A)[0]


def _svd_back(g: Any, U: Any, S: Any, Vh: Any) -> Any:
    left, values, right = g
    gap = None
    squares = S * S
    total = diag_embed(values) if values is not None else None
    if left is not None or right is not None:
        gap = _gaps(squares)
    if left is not None:
        skew = matmul(swapped(U), left)
        part = (skew - swapped(skew)) * gap * unsqueeze(S, -2)
        total = part if total is None else total + part
    if right is not None:
        skew = matmul(Vh, swapped(right))
        part = unsqueeze(S, -1) * ((skew - swapped(skew)) * gap)
        total = part if total is None else total + part
    out = matmul(matmul(U, total), Vh)
    if left is not None and U.shape[-2] > S.shape[-1]:
        scaled = left / unsqueeze(S, -2)
        out = out + matmul(scaled - matmul(U, matmul(swapped(U), scaled)), Vh)
    if right is not None and Vh.shape[-1] > S.shape[-1]:
        scaled = right / unsqueeze(S, -1)
        out = out + matmul(U, scaled - matmul(matmul(scaled, swapped(Vh)), Vh))
    return out


@operation(
    "svd",
    gradient={"input": _svd_back},
    outputs=("U", "S", "Vh"),
    functions=False,
    parity=None,
    gradcheck=False,
    pack=return_type("linalg_svd", "U", "S", "Vh"),
)
def svd_of(input: Array) -> Any:
    """Return U, the singular values and V transposed, with ``(U * S) @ Vh = input``."""
    return _svd(input, False)


@_enter("svd")
def linalg_svd(A: Any, full_matrices: bool = True) -> Any:
    """Return U, the singular values and V transposed."""
    if full_matrices and A.shape[-1] != A.shape[-2]:
        pack = svd_of.operation.pack
        return pack(*[wrap(x) for x in _svd(A.detach()._a, True)])
    return svd_of(A)


@composite("svd", methods=True, parity=None)
def svd(input: Any, some: bool = True, compute_uv: bool = True) -> Any:
    """Return U, the singular values and V, with ``(U * S) @ V.T = input``."""
    left, values, right = linalg_svd(input, not some)
    return left, values, right.mT


@_enter("svdvals")
def svdvals(A: Any) -> Any:
    """Return the singular values, largest first."""
    return svd_of(A)[1]


@_enter("matrix_power")
@composite("matrix_power", methods=True, samples=[(SQUARE, 3), (SQUARE, 0), (SQUARE, -1)])
def matrix_power(input: Any, n: int) -> Any:
    """Return the product of a matrix with itself, ``n`` times."""
    square("linalg.matrix_power", input._a)
    if n < 0:
        return matrix_power(inverse(input), -n)
    total = None
    power = input
    while n:
        if n % 2:
            total = power if total is None else total @ power
        n //= 2
        if n:
            power = power @ power
    if total is None:
        return input * 0 + _identity(input)
    return total


@_enter("matrix_exp")
@composite("matrix_exp", methods=True, samples=[(T(3, 3, low=-0.5, high=0.5),)])
def matrix_exp(input: Any) -> Any:
    """Return the exponential of a matrix, by scaling and squaring a Taylor sum."""
    square("linalg.matrix_exp", input._a)
    count = ask(halvings, input)
    small = input / 2**count
    total = _identity(input) + small
    term = small
    for k in range(2, 16):
        term = (term @ small) / k
        total = total + term
    for _ in range(count):
        total = total @ total
    return total


@_enter("vector_norm")
def vector_norm(
    x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """Return the norm of all values, or along dimensions, taken as one vector."""
    return norm_of(x if dtype is None else x.to(dtype), float(ord), dim, keepdim)


@_enter("matrix_norm")
def matrix_norm(A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False) -> Any:
    """Return a norm of matrices: "fro", "nuc", 1, 2, inf and their negatives."""
    rows, columns = axes(tuple(dim), len(A.shape))
    if ord == "fro":
        return norm_of(A, 2.0, (rows, columns), keepdim)
    if ord in ("nuc", 2, -2):
        values = svdvals(FUNCTIONS["movedim"](A, (rows, columns), (-2, -1)))
        out = values.sum(-1) if ord == "nuc" else values.amax(-1) if ord == 2 else values.amin(-1)
        return out.unsqueeze(rows).unsqueeze(columns) if keepdim else out
    first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = A.abs().sum(first, True)
    out = sums.amax(second, True) if ord > 0 else sums.amin(second, True)
    return out if keepdim else out.squeeze((rows, columns))


# How `norm`, which is entered before this, comes to the nuclear norm.
CALLS.matrix_norm = matrix_norm


@_enter("norm")
def linalg_norm(
    A: Any,
    ord: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Any:
    """Return a vector's norm, or a matrix's where two dimensions and an order are given."""
    if dtype is not None:
        A = A.to(dtype)
    if ord is None:
        return norm(A, 2, dim, keepdim)
    is_pair = isinstance(dim, (tuple, list)) and len(dim) == 2
    if is_pair or (dim is None and len(A.shape) == 2):
        return matrix_norm(A, ord, dim if is_pair else (-2, -1), keepdim)
    return vector_norm(A, ord, dim, keepdim)


@_enter("cond")
def cond(A: Any, p: Any = None) -> Any:
    """Return how much a matrix can stretch errors: its norm times that of its inverse."""
    if p is None or p == 2:
        values = svdvals(A)
        return values[..., 0] / values[..., -1]
    return matrix_norm(A, p) * matrix_norm(inverse(A), p)


@_enter("multi_dot")
def multi_dot(tensors: Any) -> Any:
    """Return the product of several matrices."""
    return chain_matmul(*tensors)


LINALG.update(
    cross=cross, diagonal=diagonal, vander=lambda x, *, N=None: vander(x, N, True), matmul=matmul
)
LINALG["vecdot"] = lambda x, y, *, dim=-1: (conj(x) * y).sum(dim)
