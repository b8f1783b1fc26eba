"""`torch.autograd.graph`: the nodes of the tape, and hooks on several gradients at once."""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, NoReturn

from gradcore.errors import UnsupportedError
from gradcore.graph import AccumulateGrad, Node, RemovableHandle, named
from gradcore.ops.tape import current_node

__all__ = [
    "GradientEdge",
    "Node",
    "get_gradient_edge",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class GradientEdge(NamedTuple):
    """Where a gradient goes: a node, and which of its outputs the gradient is of."""

    node: Any
    output_nr: int


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Return where the gradient of ``tensor`` goes."""
    node = current_node(tensor)
    if node is not None:
        return GradientEdge(named(node), tensor.output_nr)
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does "
                           "not require gradients")  # fmt: skip
    return GradientEdge(AccumulateGrad(tensor), 0)


class _Handles:
    """Removes several hooks at once."""

    def __init__(self, handles: list[RemovableHandle]) -> None:
        self.handles = handles

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> "_Handles":
        return self

    def __exit__(self, *args: object) -> None:
        self.remove()


def register_multi_grad_hook(
    tensors: Sequence[Any], fn: Callable[..., None], *, mode: Literal["all", "any"] = "all"
) -> _Handles:
    """Call ``fn`` with all gradients when the last is there, or (``"any"``) with the first one."""
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    wanted = [i for i, t in enumerate(tensors) if t.requires_grad]
    found: dict[int, Any] = {}
    called = [False]

    def arrived(place: int, gradient: Any) -> None:
        if mode == "any":
            if not called[0]:
                called[0] = True
                fn(gradient)
            return
        found[place] = gradient
        if len(found) == len(wanted):
            gradients = [found.get(i) for i in range(len(tensors))]
            found.clear()
            fn(gradients)

    return _Handles([tensors[i].register_hook(functools.partial(arrived, i)) for i in wanted])


@contextmanager
def save_on_cpu(pin_memory: bool = False, device_type: str = "cuda") -> Iterator[None]:
    """Keep what backward needs on the CPU, where everything is anyway."""
    yield


class saved_tensors_hooks:
    """Refuses: what backward needs is kept as it is."""

    def __init__(self, pack_hook: Any, unpack_hook: Any) -> NoReturn:
        raise UnsupportedError(
            "gradcore has no torch.autograd.graph.saved_tensors_hooks",
            "It keeps what backward needs as it is.",
            "Use torch.utils.checkpoint to keep less.",
        )
