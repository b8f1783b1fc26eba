"""Random tensors that few programs ask for, as functions and as methods of ``Tensor``."""

from typing import Any

import numpy as np

from gradcore import draws
from gradcore.graph import wrap
from gradcore.random import draw, tell_made
from gradcore.tensor import Tensor


def poisson(input: Any, generator: Any = None) -> Any:
    """Return counts of events that come at the rates ``input``."""
    return tell_made("poisson", wrap(draw(draws.poisson, input._a, generator=generator)))


def binomial(count: Any, prob: Any, generator: Any = None) -> Any:
    """Return how many of ``count`` trials succeed, each with probability ``prob``."""
    shape = np.broadcast_shapes(count._a.shape, prob._a.shape)
    drawn = draw(draws.binomial_of, count._a, prob._a, shape, generator=generator)
    return tell_made("binomial", wrap(drawn))


def _cauchy_(self: Any, median: float = 0, sigma: float = 1, *, generator: Any = None) -> Any:
    """Overwrite with values of the Cauchy distribution."""
    return self._overwrite("cauchy_", draws.cauchy(median, sigma, self._a.shape, generator))


def _geometric_(self: Any, p: float, *, generator: Any = None) -> Any:
    """Overwrite with how many trials it takes to the first success."""
    return self._overwrite("geometric_", draws.geometric(p, self._a.shape, generator))


def _log_normal_(self: Any, mean: float = 1, std: float = 2, *, generator: Any = None) -> Any:
    """Overwrite with values whose logarithms are normal."""
    return self._overwrite("log_normal_", draws.log_normal(mean, std, self._a.shape, generator))


for _method in (_cauchy_, _geometric_, _log_normal_):
    setattr(Tensor, _method.__name__[1:], _method)
