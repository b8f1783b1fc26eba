"""Leaving out weights: `torch.nn.utils.prune`.

A pruned tensor is `<name>_orig` (a Parameter) times `<name>_mask` (a buffer of 0 and 1), renewed
before each call of its Module.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Self

from gradcore.creation import ones_like, rand, randperm
from gradcore.nn.module import Module
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor

Amount = int | float


def _count(amount: Amount, size: int) -> int:
    """Return how many of ``size`` to leave out: that many, or that part of them."""
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if amount < 0 or (isinstance(amount, float) and amount > 1.0):
        raise ValueError(
            f"amount={amount} should either be a float in the range [0.0, 1.0] or a non-negative "
            "integer"
        )
    if isinstance(amount, int):
        if amount > size:
            raise ValueError(
                f"amount={amount} should be smaller than the number of parameters to prune={size}"
            )
        return amount
    return round(amount * size)


class BasePruningMethod:
    """How a mask is chosen; subclasses define `compute_mask`."""

    PRUNING_TYPE = "unstructured"
    _tensor_name: str

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask: 0 for what is left out, within what is there already."""
        raise NotImplementedError(f"{type(self).__name__} chooses nothing")

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    def apply_mask(self, module: Module) -> Any:
        """Return the tensor without what is left out."""
        mask = getattr(module, self._tensor_name + "_mask")
        original = getattr(module, self._tensor_name + "_orig")
        return mask.to(original.dtype) * original

    def prune(
        self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Any = None
    ) -> Any:
        """Return a tensor without what this would leave out."""
        scores = t if importance_scores is None else importance_scores
        mask = ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, mask)

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any
    ) -> Self:
        """Leave out part of a tensor of a module, now and at each call."""
        method = cls(*args, **kwargs)
        method._tensor_name = name
        before = [
            key
            for key, hook in module._forward_pre_hooks.items()
            if isinstance(hook, BasePruningMethod) and hook._tensor_name == name
        ]
        tensor = getattr(module, name)
        scores = tensor if importance_scores is None else importance_scores
        mask = getattr(module, name + "_mask") if before else ones_like(tensor)
        mask = method.compute_mask(scores.detach(), mask.detach())
        if not before:
            original = module._parameters[name]
            del module._parameters[name]
            module.register_parameter(name + "_orig", original)
        module.register_buffer(name + "_mask", mask.to(tensor.dtype))
        setattr(module, name, method.apply_mask(module))
        for key in before:
            del module._forward_pre_hooks[key]
        module.register_forward_pre_hook(method)
        return method

    def remove(self, module: Module) -> None:
        """Make the pruning lasting: the tensor is an ordinary Parameter again."""
        name = self._tensor_name
        weight = self.apply_mask(module)
        original = module._parameters[name + "_orig"]
        if original is None:
            raise ValueError(f"`{name}_orig` is gone")
        original.data = weight.data
        delattr(module, name)
        del module._parameters[name + "_orig"], module._buffers[name + "_mask"]
        module.register_parameter(name, original)


class Identity(BasePruningMethod):
    """Leave out nothing."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class CustomFromMask(BasePruningMethod):
    """Leave out what a mask says."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        result: Tensor = default_mask * self.mask.to(default_mask.dtype)
        return result


class _Unstructured(BasePruningMethod):
    def __init__(self, amount: Amount) -> None:
        _count(amount, 2**62)
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        flat = default_mask.clone().reshape(-1)
        left = (flat != 0).nonzero().reshape(-1)
        n = _count(self.amount, len(left))
        if n:
            flat[left[self._places(t.reshape(-1)[left], n)]] = 0
        result: Tensor = flat.reshape(default_mask.shape)
        return result

    def _places(self, values: Tensor, n: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} chooses nothing")


class RandomUnstructured(_Unstructured):
    """Leave out values at random."""

    def _places(self, values: Tensor, n: int) -> Any:
        return rand(len(values)).topk(n).indices


class L1Unstructured(_Unstructured):
    """Leave out the smallest values."""

    def _places(self, values: Tensor, n: int) -> Any:
        return values.abs().topk(n, largest=False).indices


class _Structured(BasePruningMethod):
    PRUNING_TYPE = "structured"

    def __init__(self, amount: Amount, dim: int = -1) -> None:
        _count(amount, 2**62)
        self.amount = amount
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        n = _count(self.amount, t.shape[self.dim])
        if not n:
            return default_mask
        keep = ones_like(t)
        place: list[Any] = [slice(None)] * t.dim()
        place[self.dim] = self._slices(t, n)
        keep[tuple(place)] = 0
        result: Tensor = default_mask * keep.to(default_mask.dtype)
        return result

    def _slices(self, t: Tensor, n: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} chooses nothing")


class RandomStructured(_Structured):
    """Leave out whole slices at random."""

    def _slices(self, t: Tensor, n: int) -> Any:
        return randperm(t.shape[self.dim])[:n]


class LnStructured(_Structured):
    """Leave out the slices with the smallest norms."""

    def __init__(self, amount: Amount, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _slices(self, t: Tensor, n: int) -> Any:
        others = tuple(i for i in range(t.dim()) if i != self.dim % t.dim())
        return t.norm(self.n, others).topk(n, largest=False).indices


def identity(module: Module, name: str) -> Module:
    """Set a tensor up for pruning and leave out nothing."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: Amount) -> Module:
    """Leave out values of a tensor at random."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(
    module: Module, name: str, amount: Amount, importance_scores: Tensor | None = None
) -> Module:
    """Leave out the smallest values of a tensor."""
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: Amount, dim: int) -> Module:
    """Leave out slices of a tensor at random."""
    RandomStructured.apply(module, name, amount, dim=dim)
    return module


def ln_structured(
    module: Module,
    name: str,
    amount: Amount,
    n: Any,
    dim: int,
    importance_scores: Tensor | None = None,
) -> Module:
    """Leave out the slices of a tensor with the smallest norms."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Leave out what a mask says."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: Any = None,
    **kwargs: Any,
) -> None:
    """Leave out values of several tensors, chosen among all of them."""
    places: Sequence[tuple[Module, str]] = list(parameters)
    tensors = [getattr(module, name) for module, name in places]
    scores = [
        (importance_scores or {}).get(place, tensor)
        for place, tensor in zip(places, tensors, strict=True)
    ]
    masks: list[Tensor] = []
    for (module, name), tensor in zip(places, tensors, strict=True):
        mask = getattr(module, f"{name}_mask", None)
        masks.append(ones_like(tensor) if mask is None else mask)
    cat = FUNCTIONS["cat"]
    chosen = pruning_method(**kwargs).compute_mask(
        cat([score.detach().reshape(-1) for score in scores]),
        cat([mask.reshape(-1) for mask in masks]),
    )
    start = 0
    for (module, name), tensor in zip(places, tensors, strict=True):
        n = tensor.numel()
        custom_from_mask(module, name, chosen[start : start + n].reshape(tensor.shape))
        start += n


def remove(module: Module, name: str) -> Module:
    """Make the pruning of a tensor lasting."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(
        f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
    )


def is_pruned(module: Module) -> bool:
    """Tell whether a module, or one below it, has a pruned tensor."""
    return any(
        isinstance(hook, BasePruningMethod)
        for below in module.modules()
        for hook in below._forward_pre_hooks.values()
    )


__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]
