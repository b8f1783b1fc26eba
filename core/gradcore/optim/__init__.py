"""Optimizers, under PyTorch's names."""

from gradcore.optim.adam import Adam, AdamW
from gradcore.optim.optimizer import Optimizer
from gradcore.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
