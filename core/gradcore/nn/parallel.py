"""`torch.nn.parallel`: models on several devices, of which there is one here."""

from typing import Any

from gradcore.distributed import refuse
from gradcore.nn.module import Module
from gradcore.nn.rarer import DataParallel

__all__ = ["DataParallel", "DistributedDataParallel"]


class DistributedDataParallel(Module):
    """A model trained by several processes: can be named and asked for, not made."""

    def __init__(self, module: Module, *args: Any, **kwargs: Any) -> None:
        refuse("DistributedDataParallel")
