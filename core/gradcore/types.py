"""Names for annotations: `torch.types`."""

from typing import Any

from gradcore.device import device as Device
from gradcore.dtypes import dtype as Dtype
from gradcore.size import Size
from gradcore.tensor import Tensor

Number = int | float | bool
_size = Size | list[int] | tuple[int, ...]
Storage = Any

__all__ = ["Device", "Dtype", "Number", "Size", "Storage", "Tensor"]
