"""Optimizers, under PyTorch's names."""

from typing import TYPE_CHECKING

from gradcore.later import later

if TYPE_CHECKING:
    from gradcore.optim import lr_scheduler
    from gradcore.optim.adam import Adam, AdamW
    from gradcore.optim.adaptive import Adadelta, Adagrad, Adamax, NAdam, RAdam, RMSprop
    from gradcore.optim.lbfgs import LBFGS
    from gradcore.optim.optimizer import Optimizer
    from gradcore.optim.rarer import ASGD, Adafactor, Rprop
    from gradcore.optim.sgd import SGD

_PARTS = {
    "adam": "Adam AdamW adam",
    "adaptive": "Adadelta Adagrad Adamax NAdam RAdam RMSprop",
    "lbfgs": "LBFGS lbfgs",
    "lr_scheduler": "",
    "optimizer": "Optimizer optimizer",
    "rarer": "ASGD Adafactor Rprop",
    "sgd": "SGD sgd",
    "swa_utils": "",
}
"""The names of each part, which is imported when one of them is first asked for."""

__getattr__, __dir__ = later(__name__, "torch.optim", _PARTS)

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
