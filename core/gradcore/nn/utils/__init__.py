"""Helpers around Modules and their Parameters: `torch.nn.utils`."""

from typing import TYPE_CHECKING

from gradcore.later import later

if TYPE_CHECKING:
    from gradcore.nn.utils import rnn
    from gradcore.nn.utils.clip import *
    from gradcore.nn.utils.reparametrized import *

_PARTS = {
    "clip": """
        clip_grad_norm_ clip_grad_value_ clip_grads_with_norm_ get_total_norm
        parameters_to_vector vector_to_parameters
    """,
    "parametrizations": "",
    "parametrize": "",
    "prune": "",
    "reparametrized": "remove_spectral_norm remove_weight_norm spectral_norm weight_norm",
    "rnn": "",
    "stateless": "stateless skip_init",
}
"""The names of each part, which is imported when one of them is first asked for."""

__getattr__, __dir__ = later(__name__, "torch.nn.utils", _PARTS)

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parameters_to_vector",
    "rnn",
    "vector_to_parameters",
]
