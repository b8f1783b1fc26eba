"""Probability distributions: `torch.distributions`."""

from typing import TYPE_CHECKING

from gradcore.distributions import constraints
from gradcore.distributions.compound import (
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)
from gradcore.distributions.continuous import (
    Beta,
    Cauchy,
    Chi2,
    Dirichlet,
    Exponential,
    Gamma,
    Laplace,
    Normal,
    StudentT,
    Uniform,
)
from gradcore.distributions.discrete import (
    Bernoulli,
    Binomial,
    Categorical,
    Geometric,
    Multinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    Poisson,
)
from gradcore.distributions.distribution import Distribution, ExponentialFamily
from gradcore.distributions.divergence import kl_divergence, register_kl
from gradcore.distributions.transforms import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    Gumbel,
    HalfNormal,
    LogNormal,
    PowerTransform,
    SigmoidTransform,
    SoftplusTransform,
    TanhTransform,
    Transform,
    TransformedDistribution,
    Weibull,
)
from gradcore.later import later

if TYPE_CHECKING:
    from gradcore.distributions.rarer import *

identity_transform = ComposeTransform([])

__getattr__, __dir__ = later(
    __name__,
    "torch.distributions",
    {
        "rarer": """
            FisherSnedecor HalfCauchy InverseGamma Kumaraswamy NegativeBinomial Pareto
        """
    },
)

__all__ = [
    "Pareto",
    "NegativeBinomial",
    "Kumaraswamy",
    "InverseGamma",
    "HalfCauchy",
    "FisherSnedecor",
    "AbsTransform",
    "AffineTransform",
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Chi2",
    "ComposeTransform",
    "Dirichlet",
    "Distribution",
    "ExpTransform",
    "Exponential",
    "ExponentialFamily",
    "Gamma",
    "Geometric",
    "Gumbel",
    "HalfNormal",
    "Independent",
    "Laplace",
    "LogNormal",
    "MixtureSameFamily",
    "Multinomial",
    "MultivariateNormal",
    "Normal",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Poisson",
    "PowerTransform",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "SigmoidTransform",
    "SoftplusTransform",
    "StudentT",
    "TanhTransform",
    "Transform",
    "TransformedDistribution",
    "Uniform",
    "Weibull",
    "identity_transform",
    "constraints",
    "kl_divergence",
    "register_kl",
]
