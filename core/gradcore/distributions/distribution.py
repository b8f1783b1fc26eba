"""`Distribution`, the base of all, and what its parameters must satisfy."""

from collections.abc import Iterable
from typing import Any

from gradcore import dtypes
from gradcore.creation import as_tensor
from gradcore.modes import no_grad
from gradcore.ops.registry import FUNCTIONS
from gradcore.size import Size
from gradcore.tensor import Tensor


class Constraint:
    """What a parameter or a sample must satisfy: a name and a test of values."""

    depends = False
    """Whether it cannot be checked without other parameters."""

    def __init__(self, name: str = "Constraint()", test: Any = None, dims: int = 0) -> None:
        self.name = name
        self.test = test
        self.event_dim = dims

    def check(self, value: Tensor) -> Any:
        """Return, for each value, whether it satisfies this."""
        return self.test(value)

    def __repr__(self) -> str:
        return self.name


real = Constraint("Real()", lambda x: x == x)
positive = Constraint("GreaterThan(lower_bound=0.0)", lambda x: x > 0)
nonnegative = Constraint("GreaterThanEq(lower_bound=0.0)", lambda x: x >= 0)
unit_interval = Constraint(
    "Interval(lower_bound=0.0, upper_bound=1.0)", lambda x: (x >= 0) & (x <= 1)
)
boolean = Constraint("Boolean()", lambda x: (x == 0) | (x == 1))
nonnegative_integer = Constraint(
    "IntegerGreaterThan(lower_bound=0)", lambda x: (x % 1 == 0) & (x >= 0)
)
simplex = Constraint("Simplex()", lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < 1e-6), 1)
real_vector = Constraint("IndependentConstraint(Real(), 1)", lambda x: (x == x).all(-1), 1)


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Return numbers and tensors as tensors of one shape; numbers take the tensors' dtype."""
    kinds = [value.dtype for value in values if isinstance(value, Tensor)]
    floats = [kind for kind in kinds if kind.is_floating_point]
    kind = (floats or kinds or [dtypes.get_default_dtype()])[0]
    made = [
        value if isinstance(value, Tensor) else as_tensor(value, dtype=kind) for value in values
    ]
    return tuple(FUNCTIONS["broadcast_tensors"](*made))


def shape_of(values: Any) -> Size:
    """Return sizes given as one number, or as many."""
    return Size((values,)) if isinstance(values, int) else Size(values)


class Distribution:
    """A probability distribution over batches of values.

    `batch_shape` counts independent ones side by side; `event_shape` is the shape of one value.
    """

    has_rsample = False
    has_enumerate_support = False
    arg_constraints: dict[str, Constraint] = {}
    support: Any = None
    _validate_args = True

    def __init__(
        self,
        batch_shape: Iterable[int] = (),
        event_shape: Iterable[int] = (),
        validate_args: bool | None = None,
    ) -> None:
        self._batch_shape = Size(batch_shape)
        self._event_shape = Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Say whether parameters and values are checked where nobody says so."""
        Distribution._validate_args = value

    def _check_parameters(self) -> None:
        for name, constraint in self.arg_constraints.items():
            value = self.__dict__.get(name)
            if not isinstance(value, Tensor) or constraint.depends:
                continue
            if not bool(constraint.check(value.detach()).all()):
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape "
                    f"{tuple(value.shape)}) of distribution {self!r} to satisfy the constraint "
                    f"{constraint!r}, but found invalid values:\n{value}"
                )

    def _check_value(self, value: Any) -> None:
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        events = len(self._event_shape)
        if events and tuple(value.shape[value.dim() - events :]) != tuple(self._event_shape):
            raise ValueError(
                "The right-most size of value must match event_shape: "
                f"{value.shape} vs {self._event_shape}."
            )
        support = self.support
        if support is None or support.depends:
            return
        if not bool(support.check(value.detach()).all()):
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) "
                f"to be within the support ({support!r}) of the distribution {self!r}, but found "
                f"invalid values:\n{value}"
            )

    # The name that distributions of the user's own call it by.
    _validate_sample = _check_value

    @property
    def batch_shape(self) -> Size:
        """How many distributions stand side by side."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one value."""
        return self._event_shape

    def _extended(self, sample_shape: Any) -> Size:
        return Size((*shape_of(sample_shape), *self._batch_shape, *self._event_shape))

    # To be defined by the subclasses

    _extended_shape = _extended

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError(f"{type(self).__name__} has no mean here")

    @property
    def variance(self) -> Tensor:
        """The expected square of the distance from the mean."""
        raise NotImplementedError(f"{type(self).__name__} has no variance here")

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        result: Tensor = self.variance.sqrt()
        return result

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        raise NotImplementedError(f"{type(self).__name__} has no mode here")

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw values that no gradient flows through."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draw values as a function of the parameters, so that a gradient reaches them."""
        raise NotImplementedError(f"{type(self).__name__} has no rsample here: use sample()")

    def sample_n(self, n: int) -> Tensor:
        """Draw n values."""
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability (or its density) of values."""
        raise NotImplementedError(f"{type(self).__name__} has no log_prob here")

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of being below values."""
        raise NotImplementedError(f"{type(self).__name__} has no cdf here")

    def icdf(self, value: Tensor) -> Tensor:
        """Return the values below which one is with these probabilities."""
        raise NotImplementedError(f"{type(self).__name__} has no icdf here")

    def entropy(self) -> Tensor:
        """Return the entropy, in nats."""
        raise NotImplementedError(f"{type(self).__name__} has no entropy here")

    def perplexity(self) -> Tensor:
        """Return e to the power of the entropy."""
        result: Tensor = self.entropy().exp()
        return result

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return every value there is."""
        raise NotImplementedError(f"{type(self).__name__} has no finite support")

    def expand(self, batch_shape: Any, _instance: Any = None) -> "Distribution":
        """Return it as often as `batch_shape` says."""
        shape = shape_of(batch_shape)
        made: Distribution = type(self).__new__(type(self))
        for name, value in self.__dict__.items():
            if isinstance(value, Tensor) and not name.startswith("_"):
                own = tuple(value.shape)[len(self._batch_shape) :]
                value = value.expand((*shape, *own))
            made.__dict__[name] = value
        made._batch_shape = shape
        return made

    def __repr__(self) -> str:
        names = [name for name in self.arg_constraints if name in self.__dict__]
        parts = []
        for name in names:
            value = self.__dict__[name]
            shown = value if value.numel() == 1 else value.size()
            parts.append(f"{name}: {shown}")
        return f"{type(self).__name__}({', '.join(parts)})"


class ExponentialFamily(Distribution):
    """A distribution whose density is an exponential of a sum."""
