"""`torch.distributions.constraints`: what a parameter or a sample must satisfy."""

from typing import Any

from gradcore.creation import full
from gradcore.distributions.distribution import (
    Constraint,
    boolean,
    nonnegative,
    nonnegative_integer,
    positive,
    real,
    real_vector,
    simplex,
    unit_interval,
)
from gradcore.ops.linear_algebra import LINALG
from gradcore.tensor import Tensor

__all__ = [
    "Constraint",
    "boolean",
    "corr_cholesky",
    "dependent",
    "dependent_property",
    "greater_than",
    "greater_than_eq",
    "half_open_interval",
    "independent",
    "integer_interval",
    "interval",
    "is_dependent",
    "less_than",
    "lower_cholesky",
    "lower_triangular",
    "nonnegative",
    "nonnegative_integer",
    "one_hot",
    "positive",
    "positive_definite",
    "positive_integer",
    "positive_semidefinite",
    "real",
    "real_vector",
    "simplex",
    "square",
    "symmetric",
    "unit_interval",
]


class _Dependent(Constraint):
    """A constraint that depends on other parameters: nothing is checked by it alone."""

    depends = True

    def __init__(self, *, is_discrete: bool = False, event_dim: int = 0) -> None:
        super().__init__("Dependent()", None, event_dim)
        self.is_discrete = is_discrete

    def __call__(self, *, is_discrete: bool = False, event_dim: int = 0) -> "_Dependent":
        """Return such a constraint with other properties."""
        return _Dependent(is_discrete=is_discrete, event_dim=event_dim)

    def check(self, value: Tensor) -> Any:
        """Refuse: it depends on what."""
        raise ValueError("Cannot determine validity of dependent constraint")


class dependent_property(property, _Dependent):
    """A property of a distribution that returns a constraint."""

    def __init__(self, fn: Any = None, *, is_discrete: bool = False, event_dim: int = 0) -> None:
        property.__init__(self, fn)
        _Dependent.__init__(self, is_discrete=is_discrete, event_dim=event_dim)

    def __call__(self, fn: Any) -> Any:  # type: ignore[override] # as PyTorch's: a decorator
        """Return the property with this function."""
        return dependent_property(fn, is_discrete=self.is_discrete, event_dim=self.event_dim)


def is_dependent(constraint: Any) -> bool:
    """Tell whether a constraint depends on other parameters."""
    return isinstance(constraint, _Dependent)


def independent(base: Constraint, reinterpreted_batch_ndims: int) -> Constraint:
    """Return a constraint on whole events: each of their values must satisfy ``base``."""
    n = reinterpreted_batch_ndims

    def test(value: Tensor) -> Any:
        found = base.check(value)
        return found.reshape(*found.shape[: found.dim() - n], -1).all(-1)

    return Constraint(f"IndependentConstraint({base!r}, {n})", test, base.event_dim + n)


def interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Return the values from one bound to the other, both included."""
    return Constraint(
        f"Interval(lower_bound={lower_bound}, upper_bound={upper_bound})",
        lambda x: (x >= lower_bound) & (x <= upper_bound),
    )


def half_open_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Return the values from one bound to the other, which is not included."""
    return Constraint(
        f"HalfOpenInterval(lower_bound={lower_bound}, upper_bound={upper_bound})",
        lambda x: (x >= lower_bound) & (x < upper_bound),
    )


def integer_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Return the whole numbers from one bound to the other."""
    return Constraint(
        f"IntegerInterval(lower_bound={lower_bound}, upper_bound={upper_bound})",
        lambda x: (x % 1 == 0) & (x >= lower_bound) & (x <= upper_bound),
    )


def greater_than(lower_bound: Any) -> Constraint:
    """Return the values above a bound."""
    return Constraint(f"GreaterThan(lower_bound={lower_bound})", lambda x: x > lower_bound)


def greater_than_eq(lower_bound: Any) -> Constraint:
    """Return the values above or at a bound."""
    return Constraint(f"GreaterThanEq(lower_bound={lower_bound})", lambda x: x >= lower_bound)


def less_than(upper_bound: Any) -> Constraint:
    """Return the values below a bound."""
    return Constraint(f"LessThan(upper_bound={upper_bound})", lambda x: x < upper_bound)


def _every(found: Tensor) -> Any:
    return found.reshape(*found.shape[:-2], -1).all(-1)


def _is_symmetric(x: Tensor) -> Any:
    return _every((x - x.mT).abs() <= 1e-6)


def _definite(x: Tensor, allows_zero: bool) -> Any:
    lowest = LINALG["eigvalsh"]((x + x.mT) / 2).amin(-1)
    return _is_symmetric(x) & (lowest >= 0 if allows_zero else lowest > 0)


def _is_lower(x: Tensor) -> Any:
    return _every(x.tril() == x)


def _has_positive_diagonal(x: Tensor) -> Any:
    return (x.diagonal(0, -2, -1) > 0).all(-1)


dependent = _Dependent()
positive_integer = Constraint(
    "IntegerGreaterThan(lower_bound=1)", lambda x: (x % 1 == 0) & (x >= 1)
)
one_hot = Constraint("OneHot()", lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1), 1)
square = Constraint("Square()", lambda x: full(tuple(x.shape[:-2]), x.shape[-1] == x.shape[-2]), 2)
symmetric = Constraint("Symmetric()", _is_symmetric, 2)
lower_triangular = Constraint("LowerTriangular()", _is_lower, 2)
lower_cholesky = Constraint(
    "LowerCholesky()", lambda x: _is_lower(x) & _has_positive_diagonal(x), 2
)
corr_cholesky = Constraint(
    "CorrCholesky()",
    lambda x: (
        ((x.square().sum(-1) - 1).abs() < 1e-4).all(-1) & _is_lower(x) & _has_positive_diagonal(x)
    ),
    2,
)
positive_definite = Constraint("PositiveDefinite()", lambda x: _definite(x, False), 2)
positive_semidefinite = Constraint("PositiveSemidefinite()", lambda x: _definite(x, True), 2)
