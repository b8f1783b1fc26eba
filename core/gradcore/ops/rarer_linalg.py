"""Factorizations and solutions that few programs ask for; these have no gradient here."""

import math
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import LinAlgError, ShapeError, UnsupportedError
from gradcore.graph import state, wrap
from gradcore.ops.linear_algebra import LINALG, square
from gradcore.ops.reduction import return_type
from gradcore.ops.registry import FUNCTIONS


def _constant(name: str, *tensors: Any) -> list[Array]:
    """Return the arrays; refuse where a gradient would be lost."""
    if state.grad and any(item.requires_grad for item in tensors):
        raise UnsupportedError(
            f"gradcore has no gradient of {name}",
            "",
            "Call detach() where no gradient is wanted, or run the script with PyTorch.",
        )
    return [item._a for item in tensors]


_EIG = return_type("linalg_eig", "eigenvalues", "eigenvectors")


def eig(A: Any) -> Any:
    """Return the eigenvalues and eigenvectors of a matrix, as complex numbers."""
    (a,) = _constant("eig", A)
    square("linalg.eig", a)
    kind = np.result_type(a.dtype, np.complex64)
    values, vectors = np.linalg.eig(a)
    return _EIG(wrap(values.astype(kind)), wrap(vectors.astype(kind)))


def eigvals(A: Any) -> Any:
    """Return the eigenvalues of a matrix, as complex numbers."""
    (a,) = _constant("eigvals", A)
    square("linalg.eigvals", a)
    return wrap(np.linalg.eigvals(a).astype(np.result_type(a.dtype, np.complex64)))


def _compact(a: Array) -> tuple[Array, Array]:
    """Factor one matrix by rows exchanged: L below the diagonal, U on and above it."""
    a = a.copy()
    rows, columns = a.shape
    pivots = np.arange(1, min(rows, columns) + 1, dtype=np.int32)
    for k in range(len(pivots)):
        best = k + int(np.argmax(np.abs(a[k:, k])))
        pivots[k] = best + 1
        if best != k:
            a[[k, best]] = a[[best, k]]
        if a[k, k] != 0:
            a[k + 1 :, k] /= a[k, k]
            a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])
    return a, pivots


_LU_FACTOR = return_type("linalg_lu_factor", "LU", "pivots")
_LU = return_type("linalg_lu", "P", "L", "U")


def lu_factor(A: Any, *, pivot: bool = True) -> Any:
    """Return both triangles in one matrix, and which rows were exchanged (from 1)."""
    (a,) = _constant("lu_factor", A)
    flat = a.reshape(-1, *a.shape[-2:])
    found = [_compact(item) for item in flat]
    factors = np.stack([item[0] for item in found]).reshape(a.shape)
    pivots = np.stack([item[1] for item in found]).reshape(*a.shape[:-2], -1)
    return _LU_FACTOR(wrap(factors), wrap(pivots))


def lu_unpack(
    LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:
    """Return P, L and U from what ``lu_factor`` gave."""
    a, pivots = LU_data._a, LU_pivots._a
    rows, columns = a.shape[-2:]
    n = min(rows, columns)
    lower = np.tril(a[..., :, :n], -1) + np.eye(rows, n, dtype=a.dtype)
    upper = np.triu(a[..., :n, :])
    orders = []
    for exchanged in pivots.reshape(-1, pivots.shape[-1]):
        order = np.arange(rows)
        for k, other in enumerate(exchanged):
            order[[k, other - 1]] = order[[other - 1, k]]
        orders.append(np.eye(rows, dtype=a.dtype)[:, order])
    permutation = np.stack(orders).reshape(*a.shape[:-2], rows, rows)
    return _LU(wrap(permutation), wrap(lower), wrap(upper))


def lu(A: Any, *, pivot: bool = True) -> Any:
    """Return a permutation P and triangles L and U with ``P @ L @ U = A``."""
    return lu_unpack(*lu_factor(A))


def lu_solve(LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False) -> Any:
    """Return X with ``A @ X = B``, from the factors of A."""
    permutation, lower, upper = lu_unpack(LU, pivots)
    whole = permutation @ lower @ upper
    if adjoint:
        whole = whole.mT
    solve = LINALG["solve"]
    return solve(whole, B) if left else solve(whole.mT, B.mT).mT


_CHECKED = {
    "cholesky": return_type("linalg_cholesky_ex", "L", "info"),
    "inv": return_type("linalg_inv_ex", "inverse", "info"),
    "solve": return_type("linalg_solve_ex", "result", "info"),
}


def _with_info(name: str) -> Any:
    def call(A: Any, *args: Any, check_errors: bool = False, **kwargs: Any) -> Any:
        zeros = wrap(np.zeros(A.shape[:-2], np.int32))
        try:
            return _CHECKED[name](LINALG[name](A, *args, **kwargs), zeros)
        except LinAlgError:
            if check_errors:
                raise
            shape = args[0].shape if args else A.shape
            failed = wrap(np.full(tuple(shape), np.nan, A._a.dtype))
            return _CHECKED[name](failed, zeros + 1)

    call.__name__ = call.__qualname__ = name + "_ex"
    call.__doc__ = f"As ``{name}``, with a number that tells of failure instead of an error."
    return call


def cholesky_inverse(L: Any, upper: bool = False) -> Any:
    """Return the inverse of the matrix whose Cholesky factor this is."""
    lower = L.mT if upper else L
    return LINALG["inv"](lower @ lower.mT)


def tensorsolve(A: Any, B: Any, dims: Any = None) -> Any:
    """Return X whose sum of products with A, over all its dimensions, is B."""
    if dims is not None:
        A = FUNCTIONS["movedim"](A, dims, tuple(range(-len(dims), 0)))
    shape = tuple(A.shape[B.dim() :])
    size = math.prod(shape)
    return LINALG["solve"](A.reshape(size, size), B.reshape(size)).reshape(shape)


def tensorinv(A: Any, ind: int = 2) -> Any:
    """Return what undoes ``tensordot`` with A over its last dimensions."""
    if ind <= 0:
        raise ShapeError("Expected a strictly positive integer for 'ind'")
    first, last = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    size = math.prod(first)
    return LINALG["inv"](A.reshape(size, -1)).reshape(*last, *first)


for _function in (eig, eigvals, lu_factor, lu, lu_solve, tensorsolve, tensorinv):
    LINALG[_function.__name__] = _function
for _name in _CHECKED:
    LINALG[_name + "_ex"] = _with_info(_name)
FUNCTIONS["lu_unpack"] = lu_unpack
FUNCTIONS["cholesky_inverse"] = cholesky_inverse
