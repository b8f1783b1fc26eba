"""Gamma, beta and Dirichlet values carry gradients to the parameters they were drawn with."""

import pytest

import gradcore

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

DRAWN = {
    "gamma": ("Gamma", [[0.3, 1.0, 2.0, 7.0, 30.0], [1.0, 2.0, 0.5, 1.0, 1.0]]),
    "gamma of extreme shapes": ("Gamma", [[0.01, 100.0, 9e4, 3e5], [1.0, 1.0, 1.0, 1.0]]),
    "beta": ("Beta", [[0.5, 2.0, 30.0], [0.7, 3.0, 4.0]]),
    "dirichlet": ("Dirichlet", [[[0.5, 2.0, 3.0], [10.0, 20.0, 30.0]]]),
    "chi2": ("Chi2", [[1.0, 5.0]]),
    "student": ("StudentT", [[3.0, 10.0]]),
}


def drawn(lib, name):
    kind, given = DRAWN[name]
    parameters = [lib.tensor(p, dtype=lib.float64, requires_grad=True) for p in given]
    lib.manual_seed(0)
    values = getattr(lib.distributions, kind)(*parameters).rsample((3,))
    weights = lib.arange(1.0, values.numel() + 1, dtype=lib.float64).reshape(values.shape)
    (values * weights).sum().backward()
    return values.tolist(), [p.grad.tolist() for p in parameters]


@pytest.mark.parametrize("name", DRAWN)
def test_gradients_of_drawn_values_are_those_of_torch(name):
    # PyTorch takes fitted polynomials for the slopes, which are off by up to some 1e-4.
    values, gradients = drawn(torch, name)
    found, slopes = drawn(gradcore, name)
    torch.testing.assert_close(torch.tensor(found), torch.tensor(values), rtol=1e-5, atol=1e-9)
    for slope, gradient in zip(slopes, gradients, strict=True):
        torch.testing.assert_close(
            torch.tensor(slope), torch.tensor(gradient), rtol=1e-3, atol=1e-3
        )


def test_slope_of_a_gamma_value_is_that_of_its_cumulative_function():
    a = gradcore.tensor([0.7, 3.0, 12.0], dtype=gradcore.float64, requires_grad=True)
    x = gradcore.distributions.Gamma(a, gradcore.ones(3).double()).rsample()
    x.sum().backward()
    step = 1e-6
    point, shape = x.detach(), a.detach()
    cumulative = gradcore.special.gammainc
    moved = (cumulative(shape + step, point) - cumulative(shape - step, point)) / (2 * step)
    density = gradcore.distributions.Gamma(shape, gradcore.ones(3).double()).log_prob(point).exp()
    assert a.grad.tolist() == pytest.approx((-moved / density).tolist(), rel=1e-6)


def test_a_variational_gamma_learns_its_shape():
    gradcore.manual_seed(0)
    log_shape = gradcore.zeros(1, requires_grad=True)
    optimizer = gradcore.optim.Adam([log_shape], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        values = gradcore.distributions.Gamma(log_shape.exp(), gradcore.ones(1)).rsample((32,))
        loss = (values.mean() - 4.0) ** 2
        loss.backward()
        optimizer.step()
    assert log_shape.exp().item() == pytest.approx(4.0, rel=0.1)
