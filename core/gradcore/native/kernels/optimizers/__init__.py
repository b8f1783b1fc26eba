"""Optimizers as kernels: one call moves all tensors of a group, and measures them if asked to."""

from gradcore.native.kernels.optimizers.table import OPTIMIZERS, Stepper

__all__ = ["OPTIMIZERS", "Stepper"]
