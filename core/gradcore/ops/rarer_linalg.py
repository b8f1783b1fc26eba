"""Factorizations and solutions that few programs ask for; these have no gradient here."""

import math
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array
from gradcore.errors import LinAlgError, ShapeError, UnsupportedError
from gradcore.graph import state, wrap
from gradcore.ops.linear_algebra import LINALG, square
from gradcore.ops.reduction import return_type
from gradcore.ops.registry import FUNCTIONS, METHODS, OPERATIONS


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
    lower = L.mH if upper else L
    return LINALG["inv"](lower @ lower.mH)


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


def pinv(
    A: Any, *, atol: Any = None, rtol: Any = None, rcond: Any = None, hermitian: bool = False
) -> Any:
    """Return the pseudo-inverse; singular values up to ``max(atol, rtol * largest)`` count as 0."""
    left, values, right = LINALG["svd"](A, full_matrices=False)
    keep = values > _limit(A, values, atol, rcond if rtol is None else rtol)
    where = FUNCTIONS["where"]
    inverse_values = where(keep, 1 / where(keep, values, 1.0), 0.0)
    return (right.mH * inverse_values.unsqueeze(-2)) @ left.mH


def _limit(A: Any, values: Any, atol: Any, rtol: Any) -> Any:
    """Return up to which size singular values count as 0."""
    if rtol is None:
        epsilon = float(np.finfo(A._a.dtype).eps)
        rtol = 0.0 if atol is not None else max(A.shape[-2:]) * epsilon
    bound = values.amax(-1, True) * rtol
    return bound if atol is None else FUNCTIONS["clamp"](bound, min=atol)


def matrix_rank(
    A: Any, tol: Any = None, *, atol: Any = None, rtol: Any = None, hermitian: bool = False
) -> Any:
    """Return how many singular values are not 0."""
    matrix = A.detach()
    values = LINALG["eigvalsh"](matrix).abs() if hermitian else LINALG["svdvals"](matrix)
    limit = _limit(A, values, tol if atol is None else atol, rtol)
    return (values > limit).sum(-1)


def lstsq(A: Any, B: Any, rcond: Any = None, *, driver: Any = None) -> Any:
    """Return the least-squares solution of ``A @ X = B``, residuals, rank and singular values."""
    pack = return_type("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
    is_vector = B.dim() == A.dim() - 1
    columns = B.unsqueeze(-1) if is_vector else B
    solution = pinv(A, rcond=rcond) @ columns
    none = wrap(np.empty(0, A._a.dtype))
    residuals = (
        (A @ solution - columns).abs().square().sum(-2)
        if driver not in (None, "gelsy") and A.shape[-2] > A.shape[-1]
        else none
    )
    if is_vector:
        solution = solution.squeeze(-1)
    values = LINALG["svdvals"](A.detach()) if driver in ("gelsd", "gelss") else none
    rank = none.to(dtypes.int64) if driver == "gels" else matrix_rank(A, rtol=rcond)
    return pack(solution, residuals, rank, values)


def qr(A: Any, mode: Any = "reduced") -> Any:
    """Return an orthogonal Q and a triangle R with ``Q @ R = A``; with mode "r" R alone."""
    if mode not in ("reduced", "complete", "r"):
        raise ShapeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', "
            "or 'complete'"
        )
    pack = return_type("linalg_qr", "Q", "R")
    if mode == "complete":
        return pack(*[wrap(x) for x in np.linalg.qr(A.detach()._a, mode="complete")])
    first, second = OPERATIONS["qr"].call(A)
    return pack(wrap(np.empty(0, A._a.dtype)) if mode == "r" else first, second)


def old_qr(input: Any, some: bool = True) -> Any:
    """As ``torch.linalg.qr``, under its old name."""
    return return_type("qr", "Q", "R")(*qr(input, "reduced" if some else "complete"))


def solve_triangular(
    A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Any:
    """Return X with ``A @ X = B`` (``X @ A = B`` without ``left``), reading one triangle."""
    triangle = FUNCTIONS["triu" if upper else "tril"](A)
    if unitriangular:
        diagonal = FUNCTIONS["diagonal"](triangle, 0, -2, -1)
        triangle = triangle - FUNCTIONS["diag_embed"](diagonal - 1.0)
    # In double precision: where rows are put in another order, small pivots cost digits.
    kind = dtypes.complex128 if A.is_complex() else dtypes.float64
    triangle, right = triangle.to(kind), B.to(kind)
    solve = LINALG["solve"]
    found = solve(triangle, right) if left else solve(triangle.mT, right.mT).mT
    return found.to(B.dtype)


def triangular_solve(
    input: Any, A: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:
    """Return X with ``A @ X = input`` and the matrix, reading one triangle."""
    pack = return_type("triangular_solve", "solution", "cloned_coefficient")
    matrix = A.mT if transpose else A
    found = solve_triangular(matrix, input, upper=upper != transpose, unitriangular=unitriangular)
    return pack(found, A.clone())


def cholesky_solve(input: Any, L: Any, upper: bool = False) -> Any:
    """Return X with ``L @ L.mH @ X = input``."""
    lower = L.mH if upper else L
    half = solve_triangular(lower, input, upper=False)
    return solve_triangular(lower.mH, half, upper=True)


def old_lu(A: Any, pivot: bool = True, get_infos: bool = False) -> Any:
    """Return both triangles in one matrix and the exchanged rows, as ``lu_factor``."""
    factors, pivots = lu_factor(A, pivot=pivot)
    if get_infos:
        return factors, pivots, wrap(np.zeros(A.shape[:-2], np.int32))
    return factors, pivots


def old_lu_solve(b: Any, LU_data: Any, LU_pivots: Any) -> Any:
    """Return X with ``A @ X = b``, from the factors of A."""
    return lu_solve(LU_data, LU_pivots, b)


def geqrf(input: Any) -> Any:
    """Return R on and above the diagonal, below it the mirrors that make Q, and their lengths."""
    (a,) = _constant("geqrf", input)
    flat = a.reshape(-1, *a.shape[-2:])
    found = [np.linalg.qr(item, mode="raw") for item in flat]
    mirrors = np.stack([h.T for h, _ in found]).reshape(a.shape)
    lengths = np.stack([tau for _, tau in found]).reshape(*a.shape[:-2], -1)
    return return_type("geqrf", "a", "tau")(wrap(mirrors), wrap(lengths))


def householder_product(A: Any, tau: Any) -> Any:
    """Return the first columns of the product of the mirrors below the diagonal of ``A``."""
    rows, columns = A.shape[-2:]
    ones = wrap(np.eye(rows, columns, dtype=A._a.dtype))
    below = FUNCTIONS["tril"](A, -1) + ones
    out = ones.expand(A.shape)
    for k in range(tau.shape[-1] - 1, -1, -1):
        mirror = below[..., :, k : k + 1]
        out = out - tau[..., k : k + 1].unsqueeze(-1) * mirror @ (mirror.mH @ out)
    return out


_function: Any
for _function in (eig, eigvals, lu_factor, lu, lu_solve, tensorsolve, tensorinv):
    LINALG[_function.__name__] = _function
for _function in (pinv, matrix_rank, lstsq, qr, solve_triangular, householder_product):
    LINALG[_function.__name__] = _function
for _name in _CHECKED:
    LINALG[_name + "_ex"] = _with_info(_name)
for _name, _function in (
    ("lu_unpack", lu_unpack),
    ("lu", old_lu),
    ("lu_solve", old_lu_solve),
    ("qr", old_qr),
    ("geqrf", geqrf),
    ("orgqr", householder_product),
    ("pinverse", lambda input, rcond=1e-15: pinv(input, rcond=rcond)),
    ("triangular_solve", triangular_solve),
    ("cholesky_solve", cholesky_solve),
    ("cholesky_inverse", cholesky_inverse),
):
    FUNCTIONS[_name] = METHODS[_name] = _function
del METHODS["lu_unpack"]
