"""Helpers around training: `torch.utils`."""

from gradcore.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
