"""What a traced step leaves behind for the case that it fails: writes, versions, gradients.

A backward pass fails inside the library, far from the line that is to blame. The trail knows
the last operation whose gradient arrived (its own gradient is what failed), what each operation
was given in which version, and which writes came after.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paramscope.census.failure import OperationCall
from paramscope.code.graph import Span
from paramscope.engine.leaves import is_leaf, requires_grad

MAX_NOTES = 20_000


@dataclass(slots=True)
class _Call:
    """One operation whose gradient may be asked for, with its tensors and their versions."""

    tensors: tuple[Any, ...]
    versions: tuple[int, ...]


@dataclass(slots=True)
class _Write:
    """One write in place: into which memory, and when."""

    number: int
    storage: int
    place: OperationCall


@dataclass(slots=True)
class Arrivals:
    """Where the backward pass stands; shared by the trails of a run, whose graphs may touch.

    The hooks that tell it live as long as the graph: they must hold no tensor of it.
    """

    step: int = 0
    number: int = 0
    place: OperationCall | None = None


class Trail:
    """The trail of one step."""

    def __init__(self, storage: Callable[[Any], int], step: int, last: "Trail | None") -> None:
        self.read: set[int] = set()
        self.backward: OperationCall | None = None
        self.last: OperationCall | None = None
        self._arrivals: Arrivals = last._arrivals if last is not None else Arrivals()
        self._arrivals.place = None
        self._storage = storage
        self._step = step
        self._count = 0
        self._calls: dict[int, _Call] = {}
        self._writes: list[_Write] = []
        self._backward_running: OperationCall | None = None

    def operation(
        self,
        name: str,
        inputs: tuple[Any, ...],
        outputs: tuple[Any, ...],
        span: Span | None,
        module: str | None,
    ) -> Callable[[], None] | None:
        """Note one operation. It is called after each, so it does little.

        Returns: what is to be called when the gradient of its first result arrives.
        """
        self._count += 1
        if self._count > MAX_NOTES:
            return None
        self.read.update(map(id, inputs))
        if span is not None:
            self.last = OperationCall(name, span, module)
        if name.endswith("_") and inputs and name not in ("requires_grad_", "detach_"):
            place = OperationCall(name, span, module, inputs[0])
            self._writes.append(_Write(self._count, self._storage(inputs[0]), place))
        if not outputs or not requires_grad(outputs[0]) or is_leaf(outputs[0]):
            return None
        tensors = (*inputs, *outputs)
        self._calls[self._count] = _Call(tensors, tuple(map(_version, tensors)))
        arrivals, step, number = self._arrivals, self._step, self._count
        place = OperationCall(name, span, module)

        def arrive() -> None:
            arrivals.step, arrivals.number, arrivals.place = step, number, place

        return arrive

    def optimizer_stepped(self, optimizer: Any, span: Span | None) -> None:
        """Note that an optimizer has written to all that it holds."""
        self._count += 1
        place = OperationCall(f"{type(optimizer).__name__}.step", span)
        for group in getattr(optimizer, "param_groups", ()):
            for tensor in group.get("params", ()):
                self._writes.append(_Write(self._count, self._storage(tensor), place))

    def backward_begins(self, span: Span | None) -> None:
        """Note where a backward pass was asked for."""
        self._arrivals.place = None
        self._backward_running = OperationCall("backward", span)

    def backward_ends(self) -> None:
        """Note that it went well."""
        self.backward = self.backward or self._backward_running
        self._arrivals.place = None

    def gradient_of(self) -> tuple[OperationCall | None, bool]:
        """Return the operation whose gradient failed, and whether an earlier step made it."""
        arrived = self._arrivals
        return arrived.place, arrived.place is not None and arrived.step != self._step

    def written_by(self) -> OperationCall | None:
        """Return the first write to something that the failed operation still needed."""
        arrived = self._arrivals
        call = self._calls.get(arrived.number) if arrived.step == self._step else None
        if arrived.place is None or call is None:
            return None
        changed = {
            self._storage(tensor)
            for tensor, version in zip(call.tensors, call.versions, strict=True)
            if _version(tensor) != version
        }
        for write in self._writes:
            if write.number > arrived.number and write.storage in changed:
                return write.place
        return None

    def finish(self) -> None:
        """Let go of what the step has made; the hooks stay with the graph, and end with it."""
        self._writes.clear()
        self._calls.clear()


def _version(tensor: Any) -> int:
    try:
        return int(tensor._version)
    except RuntimeError:
        return -1  # PyTorch counts no versions of tensors made in inference mode
