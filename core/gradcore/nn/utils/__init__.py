"""Helpers around Modules and their Parameters: `torch.nn.utils`."""

import importlib
from typing import Any

from gradcore.nn.utils import rnn
from gradcore.nn.utils.clip import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)

_LATER = {
    "parametrizations": "parametrizations",
    "parametrize": "parametrize",
    "prune": "prune",
    "remove_spectral_norm": "reparametrized",
    "remove_weight_norm": "reparametrized",
    "skip_init": "stateless",
    "spectral_norm": "reparametrized",
    "stateless": "stateless",
    "weight_norm": "reparametrized",
}
"""Names that few programs use, and the module that is imported when one is first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'torch.nn.utils' has no attribute {name!r}")
    found = importlib.import_module(f"gradcore.nn.utils.{_LATER[name]}")
    return found if name == _LATER[name] else getattr(found, name)


__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parameters_to_vector",
    "rnn",
    "vector_to_parameters",
]
