"""``gradcore.linalg`` against ``torch.linalg``, by values and gradients."""

import numpy as np
import pytest

import gradcore
from gradcore import linalg

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

RNG = np.random.default_rng(3)
WIDE = RNG.standard_normal((3, 5))
TALL = RNG.standard_normal((5, 3))
ROOT = RNG.standard_normal((3, 3))
POSITIVE = ROOT @ ROOT.T + np.eye(3)

# Functions of which only what does not depend on a choice of signs is compared.
CASES = {
    "inv": (lambda lib, la, x: la.inv(x), POSITIVE),
    "det": (lambda lib, la, x: la.det(x), ROOT),
    "slogdet": (lambda lib, la, x: la.slogdet(x)[1], POSITIVE),
    "cholesky": (lambda lib, la, x: la.cholesky((x + x.T) / 2), POSITIVE),
    "qr": (lambda lib, la, x: la.qr(x)[1].abs(), TALL),
    "qr q": (lambda lib, la, x: la.qr(x)[0] ** 2, TALL),
    "eigh values": (lambda lib, la, x: la.eigh((x + x.T) / 2)[0], POSITIVE),
    "eigh vectors": (lambda lib, la, x: la.eigh((x + x.T) / 2)[1] ** 2, POSITIVE),
    "eigvalsh": (lambda lib, la, x: la.eigvalsh((x + x.T) / 2), POSITIVE),
    "svd values": (lambda lib, la, x: la.svd(x, full_matrices=False)[1], WIDE),
    "svd left": (lambda lib, la, x: la.svd(x, full_matrices=False)[0] ** 2, TALL),
    "svd right": (lambda lib, la, x: la.svd(x, full_matrices=False)[2] ** 2, WIDE),
    "svdvals": (lambda lib, la, x: la.svdvals(x), TALL),
    "pinv": (lambda lib, la, x: la.pinv(x), WIDE),
    "matrix_power": (lambda lib, la, x: la.matrix_power(x, 3), ROOT),
    "matrix_exp": (lambda lib, la, x: la.matrix_exp(x), ROOT),
    "vector_norm": (lambda lib, la, x: la.vector_norm(x, 3, dim=1), WIDE),
    "matrix_norm fro": (lambda lib, la, x: la.matrix_norm(x), WIDE),
    "matrix_norm nuc": (lambda lib, la, x: la.matrix_norm(x, "nuc"), WIDE),
    "matrix_norm 1": (lambda lib, la, x: la.matrix_norm(x, 1), WIDE),
    "matrix_norm inf": (lambda lib, la, x: la.matrix_norm(x, float("inf"), keepdim=True), WIDE),
    "norm": (lambda lib, la, x: la.norm(x), WIDE),
    "norm 2": (lambda lib, la, x: la.norm(x, 2, dim=1), WIDE),
    "cond": (lambda lib, la, x: la.cond(x), POSITIVE),
    "lstsq": (lambda lib, la, x: la.lstsq(x, x[:, :2] * 2)[0], TALL),
    "solve_triangular": (lambda lib, la, x: la.solve_triangular(x, x * 2, upper=True), POSITIVE),
    "logdet": (lambda lib, la, x: lib.logdet(x), POSITIVE),
    "solve": (lambda lib, la, x: la.solve(x, x[:, :2] ** 2), POSITIVE),
    "solve vector": (lambda lib, la, x: la.solve(x, x[0]), POSITIVE),
    "matrix_rank": (lambda lib, la, x: la.matrix_rank(x), WIDE),
}


@pytest.mark.parametrize("name", CASES)
def test_linalg_values_and_gradients_equal_torch(name):
    function, array = CASES[name]
    x = gradcore.from_numpy(array.copy()).requires_grad_()
    y = torch.from_numpy(array.copy()).requires_grad_()
    ours, theirs = function(gradcore, linalg, x), function(torch, torch.linalg, y)
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-12
    )
    if theirs.requires_grad:
        weights = RNG.uniform(0.5, 1.5, tuple(ours.shape))
        (ours * gradcore.from_numpy(np.asarray(weights))).sum().backward()
        (theirs * torch.from_numpy(np.asarray(weights))).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-7, atol=1e-9)


def test_singular_matrix_is_refused_with_its_shape():
    with pytest.raises(linalg.LinAlgError, match=r"shape \(2, 2\)"):
        linalg.inv(gradcore.ones(2, 2))


def test_matrix_that_is_not_positive_definite_is_refused():
    with pytest.raises(RuntimeError, match="not positive-definite"):
        linalg.cholesky(-gradcore.eye(2))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_singular_values_of_what_is_not_finite_are_refused(value):
    matrix = gradcore.eye(3)
    matrix[1, 1] = value
    for refused in (lambda: linalg.svd(matrix), lambda: linalg.svdvals(matrix)):
        with pytest.raises(RuntimeError, match="contained non-finite values"):
            refused()


FACTORED = {
    "eigvals": lambda la, x: sorted(la.eigvals(x).abs().tolist()),
    "eig": lambda la, x: [sorted(la.eig(x)[0].real.tolist()), list(la.eig(x)[1].shape)],
    "lu": lambda la, x: [part.tolist() for part in la.lu(x)],
    "lu_factor": lambda la, x: [part.tolist() for part in la.lu_factor(x)],
    "lu_solve": lambda la, x: la.lu_solve(*la.lu_factor(x), x[:, :1]).tolist(),
    "cholesky_ex": lambda la, x: [part.tolist() for part in la.cholesky_ex(x @ x.T)],
    "inv_ex": lambda la, x: [part.tolist() for part in la.inv_ex(x)],
    "tensorinv": lambda la, x: la.tensorinv(x.reshape(3, 3, 1), ind=1).tolist(),
    "tensorsolve": lambda la, x: la.tensorsolve(x, x[0]).tolist(),
}


@pytest.mark.parametrize("name", FACTORED)
def test_factors_are_those_of_torch(name):
    ours = FACTORED[name](linalg, gradcore.tensor(ROOT))
    theirs = FACTORED[name](torch.linalg, torch.tensor(ROOT))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.array(a), np.array(b), atol=1e-8)


def test_factor_without_a_gradient_is_refused_where_one_is_wanted():
    with pytest.raises(NotImplementedError, match="no gradient of eig"):
        linalg.eig(gradcore.tensor(ROOT, requires_grad=True))
