"""Helpers around training: `torch.utils`."""

from typing import TYPE_CHECKING

from gradcore.later import later
from gradcore.utils import checkpoint, data

if TYPE_CHECKING:
    from gradcore.utils import hooks

__getattr__, __dir__ = later(__name__, "torch.utils", {"hooks": ""})

__all__ = ["checkpoint", "data", "hooks"]
