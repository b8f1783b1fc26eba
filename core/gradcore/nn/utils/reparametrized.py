"""Weights that are computed from others at each call: `weight_norm`, `spectral_norm`.

These are the older forms, which keep the computed weight as a plain attribute and renew it in a
hook before `forward`; `parametrizations` has the newer ones.
"""

from typing import Any

import numpy as np

from gradcore import graph
from gradcore.graph import wrap, written
from gradcore.modes import no_grad
from gradcore.nn import functional as F
from gradcore.nn.module import Module
from gradcore.nn.parameter import Parameter, is_lazy
from gradcore.tensor import Tensor


def norm_except_dim(v: Tensor, pow: int = 2, dim: int | None = 0) -> Tensor:
    """Return the norm over all dimensions but one, which keeps its place."""
    if dim is None or dim == -1:
        whole: Tensor = v.norm(pow)
        return whole
    others = tuple(i for i in range(v.dim()) if i != dim % v.dim())
    result: Tensor = v.norm(pow, others, keepdim=True) if others else v.abs()
    return result


class WeightNorm:
    """The hook of `weight_norm`: a weight is a length times a direction."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = dim

    def compute_weight(self, module: Module) -> Any:
        """Return the weight from its length and direction."""
        g, v = getattr(module, self.name + "_g"), getattr(module, self.name + "_v")
        return v * (g / norm_except_dim(v, 2, self.dim))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Give a weight a length (`<name>_g`) and a direction (`<name>_v`) that train apart.

    Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868
    """
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm) and hook.name == name:
            raise RuntimeError(
                f"Cannot register two weight_norm hooks on the same parameter {name}"
            )
    made = WeightNorm(name, dim)
    weight = getattr(module, name)
    if is_lazy(weight):
        raise ValueError(
            "The module passed to `WeightNorm` can't have uninitialized parameters. Make sure to "
            "run the dummy forward before applying weight normalization"
        )
    del module._parameters[name]
    module.register_parameter(name + "_g", Parameter(norm_except_dim(weight, 2, dim).detach()))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    setattr(module, name, made.compute_weight(module))
    module.register_forward_pre_hook(made)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make a weight an ordinary Parameter again, with the values it has now."""
    hook = _removed(module, name, WeightNorm, "weight_norm")
    weight = hook.compute_weight(module)
    delattr(module, name)
    del module._parameters[name + "_g"], module._parameters[name + "_v"]
    setattr(module, name, Parameter(weight.detach()))
    return module


def _removed(module: Module, name: str, kind: type, title: str) -> Any:
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and getattr(hook, "name", None) == name:
            del module._forward_pre_hooks[key]
            return hook
    raise ValueError(f"{title} of '{name}' not found in {module}")


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """Return a weight as a matrix whose rows are its positions along one dimension."""
    if dim != 0:
        order = [dim, *(i for i in range(weight.dim()) if i != dim)]
        weight = weight.permute(*order)
    result: Tensor = weight.reshape(weight.size(0), -1)
    return result


def turn_towards_largest(matrix: Tensor, u: Tensor, v: Tensor, steps: int, eps: float) -> None:
    """Turn u and v, in place, towards the largest singular value's vectors."""
    for _ in range(steps):
        _turn(v, matrix, u, True, eps)
        _turn(u, matrix, v, False, eps)


def _turn(target: Tensor, matrix: Tensor, other: Tensor, is_turned: bool, eps: float) -> None:
    _turn_array(target._a, matrix._a, other._a, is_turned, eps)
    written(target, "normalize", False)
    if graph.journal is not None:
        graph.journal.work(_turn_array, (target, matrix, other), (is_turned, eps))


def _turn_array(target: Any, matrix: Any, other: Any, is_turned: bool, eps: float) -> None:
    found = (matrix.T if is_turned else matrix) @ other
    target[...] = found / max(float(np.linalg.norm(found)), eps)


class SpectralNorm:
    """The hook of `spectral_norm`: a weight is divided by its largest singular value."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.name = name
        self.dim = dim
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Any:
        """Return the weight divided by its largest singular value."""
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            turn_towards_largest(matrix.detach(), u, v, self.n_power_iterations, self.eps)
            u, v = u.clone(), v.clone()
        return weight / u.dot(matrix.mv(v))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value at each call.

    Source: Miyato et al. 2018, https://arxiv.org/abs/1802.05957
    """
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    made = SpectralNorm(name, n_power_iterations, dim, eps)
    weight = module._parameters[name]
    if weight is None:
        raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
    with no_grad():
        height, width = as_matrix(weight, dim).shape
        u = F.normalize(weight.new_empty(height).normal_(0, 1), dim=0, eps=eps)
        v = F.normalize(weight.new_empty(width).normal_(0, 1), dim=0, eps=eps)
    del module._parameters[name]
    module.register_parameter(name + "_orig", weight)
    setattr(module, name, wrap(weight._a))
    module.register_buffer(name + "_u", u)
    module.register_buffer(name + "_v", v)
    module.register_forward_pre_hook(made)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make a weight an ordinary Parameter again, with the values it has now."""
    hook = _removed(module, name, SpectralNorm, "spectral_norm")
    with no_grad():
        weight = hook.compute_weight(module, False)
    delattr(module, name)
    for suffix in ("_u", "_v"):
        delattr(module, name + suffix)
    del module._parameters[name + "_orig"]
    module.register_parameter(name, Parameter(weight.detach()))
    return module
