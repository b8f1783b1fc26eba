"""`torch.nn.modules`: every Module by its class, and the files PyTorch keeps them in."""

import importlib
from typing import Any

from gradcore import nn

_FILES = {
    "activation": "activation",
    "batchnorm": "normalization",
    "container": "containers",
    "conv": "convolution",
    "distance": "distance",
    "dropout": "dropout",
    "flatten": "linear",
    "instancenorm": "normalization",
    "lazy": "lazy",
    "linear": "linear",
    "loss": "loss",
    "module": "every",
    "normalization": "normalization",
    "padding": "vision",
    "pixelshuffle": "vision",
    "pooling": "pooling",
    "rnn": "recurrent",
    "sparse": "sparse",
    "transformer": "transformer",
    "upsampling": "vision",
    "utils": "tuples",
}
"""Each file of `torch.nn.modules`, and the one of gradcore.nn that has its classes."""

__path__: list[str] = []


def __getattr__(name: str) -> Any:
    if name in _FILES:
        return importlib.import_module(f"gradcore.nn.{_FILES[name]}")
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(nn, name)
