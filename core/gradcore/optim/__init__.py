"""Optimizers, under PyTorch's names."""

import importlib
from typing import Any

from gradcore.optim import lr_scheduler
from gradcore.optim.adam import Adam, AdamW
from gradcore.optim.adaptive import Adadelta, Adagrad, Adamax, NAdam, RAdam, RMSprop
from gradcore.optim.lbfgs import LBFGS
from gradcore.optim.optimizer import Optimizer
from gradcore.optim.rarer import ASGD, Adafactor, Rprop
from gradcore.optim.sgd import SGD


def __getattr__(name: str) -> Any:
    if name == "swa_utils":
        return importlib.import_module("gradcore.optim.swa_utils")
    raise AttributeError(f"module 'torch.optim' has no attribute {name!r}")


__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "lr_scheduler",
]
