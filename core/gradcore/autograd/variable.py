"""`Variable`: the tensor of PyTorch's first years. Old scripts wrap every tensor in it."""

from typing import Any

from gradcore.tensor import Tensor


class _Meta(type):
    def __instancecheck__(cls, other: object) -> bool:
        return isinstance(other, Tensor)


class Variable(metaclass=_Meta):
    """Stands for a tensor: calling it returns the tensor itself, as a leaf."""

    def __new__(cls, data: Any = None, requires_grad: bool = False, volatile: Any = None) -> Any:
        made = Tensor() if data is None else data.detach()
        return made.requires_grad_(requires_grad) if requires_grad else made
