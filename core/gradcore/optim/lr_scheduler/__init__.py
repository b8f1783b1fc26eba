"""Schedules: how the learning rate of each parameter group goes with the steps."""

from typing import TYPE_CHECKING

from gradcore.later import later
from gradcore.optim.lr_scheduler.base import LRScheduler

_LRScheduler = LRScheduler

if TYPE_CHECKING:
    from gradcore.optim.lr_scheduler.combined import *
    from gradcore.optim.lr_scheduler.cycles import *
    from gradcore.optim.lr_scheduler.steps import *

_PARTS = {
    "combined": "ChainedScheduler ReduceLROnPlateau SequentialLR",
    "cycles": "CosineAnnealingLR CosineAnnealingWarmRestarts CyclicLR OneCycleLR",
    "steps": """
        ConstantLR ExponentialLR LambdaLR LinearLR MultiStepLR MultiplicativeLR PolynomialLR
        StepLR
    """,
}
"""The names of each part, which is imported when one of them is first asked for."""

__getattr__, __dir__ = later(__name__, "torch.optim.lr_scheduler", _PARTS)

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
