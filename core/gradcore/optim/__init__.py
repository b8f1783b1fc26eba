"""Optimizers, under PyTorch's names."""

from gradcore.optim import lr_scheduler
from gradcore.optim.adam import Adam, AdamW
from gradcore.optim.adaptive import Adadelta, Adagrad, Adamax, NAdam, RAdam, RMSprop
from gradcore.optim.lbfgs import LBFGS
from gradcore.optim.optimizer import Optimizer
from gradcore.optim.sgd import SGD

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "lr_scheduler",
]
