"""Distributions: the same samples from the same seed, the same densities, on both libraries."""

import numpy as np
import pytest

import gradcore

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

MADE = """
Normal(0.0, 1.0)
Normal(t([0.0, 1.0]), t([1.0, 2.0]))
Uniform(t([0.0, 1.0]), t([2.0, 5.0]))
Laplace(0.0, 1.0)
Exponential(t([1.0, 2.0]))
Cauchy(0.0, 1.0)
Gamma(t([0.5, 2.0, 9.0]), t([1.0, 1.0, 2.0]))
Chi2(t(3.0))
Beta(t([0.5, 2.0]), t([0.5, 3.0]))
Dirichlet(t([0.5, 1.0, 4.0]))
StudentT(4.0)
LogNormal(0.0, 0.5)
HalfNormal(2.0)
Gumbel(0.0, 1.0)
Weibull(1.0, 2.0)
Bernoulli(0.3)
Bernoulli(logits=t([0.1, -2.0]))
Geometric(0.3)
Binomial(10, t([0.2, 0.9]))
Binomial(100, t(0.4))
Poisson(t([0.5, 3.0, 20.0]))
Categorical(t([0.1, 0.2, 0.7]))
Categorical(logits=t([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]))
OneHotCategorical(t([0.3, 0.7]))
Multinomial(5, t([0.2, 0.3, 0.5]))
MultivariateNormal(t([0.0, 1.0]), t([[2.0, 0.5], [0.5, 1.0]]))
MultivariateNormal(t([0.0, 1.0]), scale_tril=t([[2.0, 0.0], [0.5, 1.0]]))
Independent(Normal(t([[0.0, 1.0]]), t([[1.0, 1.0]])), 1)
RelaxedOneHotCategorical(t(0.5), t([0.2, 0.8]))
RelaxedBernoulli(t(0.5), t([0.2, 0.8]))
TransformedDistribution(Normal(t([0.0]), t([1.0])), [transforms.TanhTransform()])
""".strip().splitlines()

PAIRS = """
Normal(0.0, 1.0) | Normal(1.0, 2.0)
Categorical(t([0.2, 0.8])) | Categorical(t([0.5, 0.5]))
Bernoulli(0.2) | Bernoulli(0.5)
Beta(1.0, 2.0) | Beta(2.0, 2.0)
Dirichlet(t([1.0, 2.0])) | Dirichlet(t([2.0, 2.0]))
Gamma(1.0, 2.0) | Gamma(2.0, 2.0)
Exponential(1.0) | Exponential(2.0)
Laplace(0.0, 1.0) | Laplace(1.0, 2.0)
Uniform(0.0, 1.0) | Uniform(0.0, 2.0)
Poisson(1.0) | Poisson(2.0)
""".strip().splitlines()


def evaluate(library, text: str):
    names = {name: getattr(library.distributions, name) for name in dir(library.distributions)}
    return eval(text, {**names, "t": library.tensor})


def close(ours, theirs) -> None:
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype) == str(theirs.dtype)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", MADE)
def test_samples_and_densities_are_those_of_torch(text):
    found = []
    for library in (gradcore, torch):
        library.manual_seed(3)
        made = evaluate(library, text)
        drawn = made.sample((7,))
        found.append((made, drawn, made.log_prob(drawn)))
    (ours, a, density_a), (theirs, b, density_b) = found
    close(a, b)
    close(density_a, density_b)
    if ours.arg_constraints:
        assert repr(ours).partition("(")[0] == repr(theirs).partition("(")[0]
    for name in ("mean", "variance"):
        try:
            expected = getattr(theirs, name)
        except (NotImplementedError, AttributeError):
            continue
        try:
            close(getattr(ours, name), expected)
        except NotImplementedError as error:
            assert "here" in str(error)


@pytest.mark.parametrize("text", PAIRS)
def test_divergence_is_that_of_torch(text):
    first, second = text.split(" | ")
    ours, theirs = (
        library.distributions.kl_divergence(evaluate(library, first), evaluate(library, second))
        for library in (gradcore, torch)
    )
    close(ours, theirs)


def test_gradient_flows_through_a_reparametrised_sample():
    grads = []
    for library in (gradcore, torch):
        library.manual_seed(0)
        mean = library.zeros(3, requires_grad=True)
        spread = library.ones(3, requires_grad=True)
        made = library.distributions.Normal(mean, spread)
        (made.rsample() ** 2 + made.entropy()).sum().backward()
        grads.append(mean.grad.tolist() + spread.grad.tolist())
    assert grads[0] == pytest.approx(grads[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "Normal(0.0, -1.0)",
            "Expected parameter scale \\(Tensor of shape \\(\\)\\) of distribution "
            "Normal\\(loc: 0.0, scale: -1.0\\) to satisfy the constraint "
            "GreaterThan\\(lower_bound=0.0\\), but found invalid values",
        ),
        ("Categorical(t([0.5, 0.5])).log_prob(t(2))", "to be within the support"),
        ("Bernoulli()", "Either `probs` or `logits` must be specified, but not both"),
    ],
)
def test_values_that_cannot_be_are_refused_as_by_torch(text, message):
    for library in (gradcore, torch):
        with pytest.raises(ValueError, match=message):
            evaluate(library, text)


RARE_DRAWS = {
    "poisson": lambda lib: lib.poisson(lib.tensor([0.0, 0.5, 5.0, 20.0])),
    "binomial": lambda lib: lib.binomial(lib.tensor([10.0, 90.0]), lib.tensor([0.7, 0.4])),
    "cauchy_": lambda lib: lib.empty(4).cauchy_(1, 2),
    "geometric_": lambda lib: lib.empty(6).geometric_(0.3),
    "log_normal_": lambda lib: lib.empty(4).log_normal_(),
}


@pytest.mark.parametrize("name", RARE_DRAWS)
def test_rare_draws_are_those_of_torch(name):
    gradcore.manual_seed(5)
    torch.manual_seed(5)
    close(RARE_DRAWS[name](gradcore), RARE_DRAWS[name](torch))
