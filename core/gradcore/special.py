"""Special functions under PyTorch's name ``torch.special``."""

from typing import TYPE_CHECKING, Any

from gradcore.ops.registry import CALLS, COMPOSITES, FUNCTIONS
from gradcore.seldom import bessel_j0, bessel_j1

_OWN = """
    digamma entr erf erfc erfinv exp2 expm1 i0 i0e i1 i1e log1p log_ndtr log_softmax logit
    logsumexp ndtr ndtri polygamma round sinc softmax xlog1py xlogy zeta erfcx
"""
_OTHER = {
    "expit": "sigmoid",
    "gammainc": "igamma",
    "gammaincc": "igammac",
    "gammaln": "lgamma",
    "multigammaln": "mvlgamma",
    "psi": "digamma",
}
_FOUND = {name: name for name in _OWN.split()} | _OTHER

__all__ = ["bessel_j0", "bessel_j1", *_FOUND]


def _function(name: str) -> Any:
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    return COMPOSITES[name].function if name in COMPOSITES else getattr(CALLS, name)


globals().update({name: _function(own) for name, own in _FOUND.items()})

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
