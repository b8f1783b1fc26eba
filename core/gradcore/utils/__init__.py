"""Helpers around training: `torch.utils`."""

from gradcore.utils import data

__all__ = ["data"]
