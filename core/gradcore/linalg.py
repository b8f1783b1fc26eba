"""Linear algebra under PyTorch's name ``torch.linalg``."""

from typing import TYPE_CHECKING, Any

from gradcore.errors import LinAlgError
from gradcore.ops.linear_algebra import LINALG

__all__ = ["LinAlgError", *LINALG]
globals().update(LINALG)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
