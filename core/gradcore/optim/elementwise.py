"""The base of optimizers that treat each value by itself, whatever tensor it belongs to.

Such an optimizer says how arrays move (a `Step`); whether these are single tensors or stretches of
a block in which all tensors of a group stand is settled here. Both ways give the same bits.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcore.graph import wrap
from gradcore.modes import no_grad
from gradcore.optim.mixing import Mix, mixer
from gradcore.optim.optimizer import Group, Optimizer
from gradcore.tensor import Tensor

_ONE = np.ones((), np.float32)


class Step:
    """One step of a group: its numbers as arrays of the tensors' dtype, and how they are used.

    NumPy reads an array without axes faster than a number of Python's. ``mix``: see `mixing`.
    """

    __slots__ = ("_arrays", "_decay", "_kind", "_maximize", "mix", "plain")

    def __init__(self, group: Group, kind: Any, *numbers: float, decay: bool = True) -> None:
        self.plain = numbers
        self.mix: Mix | None = None
        self._kind = kind
        self._arrays: list[Any] | None = None
        self._maximize = bool(group.get("maximize"))
        rate = float(group.get("weight_decay", 0.0)) if decay else 0.0
        self._decay = np.array(rate, kind) if rate else None

    @property
    def numbers(self) -> list[Any]:
        """The numbers as arrays; ``plain`` are the same as they were given."""
        if self._arrays is None:
            flat = np.array(self.plain, self._kind)
            self._arrays = [flat[i, ...] for i in range(len(self.plain))]
        return self._arrays

    def direction(self, values: Any, g: Any, room: Any) -> Any:
        """Return the gradient of what is to fall, weight decay included."""
        if self._decay is not None:
            np.multiply(values, self._decay, room)
            return (np.subtract if self._maximize else np.add)(room, g, room)
        return np.negative(g, room) if self._maximize else g

    def move(self, values: Any, g: Any, state: Sequence[Any], rooms: Sequence[Any]) -> None:
        """Move values by their gradient; each room holds as many, and may be written over."""
        raise NotImplementedError


class Elementwise(Optimizer):
    """An optimizer that treats each value by itself."""

    rooms = 2
    """How many arrays of room its step needs; the last is for `Step.direction`."""
    numbers: tuple[str, ...] = ("step",)
    """The entries of the state that are one number a tensor."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        with no_grad():
            return self._step_groups(closure)

    def _kinds(self, group: Group) -> tuple[str, ...]:
        """Return the names of the state that is as large as the tensors."""
        raise NotImplementedError

    def _initial(self, group: Group, name: str) -> float:
        """Return the value that a kind of state, or a number, begins with."""
        return 0.0

    def _step(self, group: Group, numbers: list[Any], kind: Any) -> Step:
        """Return the next step of tensors with these numbers, which it sets to the new ones.

        Each is an array: all its values are the same.
        """
        raise NotImplementedError

    def _state_of(self, group: Group, p: Tensor, kinds: tuple[str, ...]) -> dict[str, Any]:
        """Return the state of a tensor, with what is missing in it."""
        state = self.state[p]
        for name in self.numbers:
            if name not in state:
                state[name] = wrap(np.array(self._initial(group, name), np.float32))
        for name in kinds:
            if name not in state:
                state[name] = wrap(np.full_like(p._a, self._initial(group, name)))
        return state

    def _update(self, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        kinds = self._kinds(group)
        blocks = self._flat()
        block = blocks.find(group, params, self.state, kinds + self.numbers)
        if block is None:
            states = [self._state_of(group, p, kinds) for p in params]
            block = blocks.make(group, params, states, kinds, self.numbers, self.rooms)
        if block is not None and block.agree():
            step = self._step(group, block.numbers, block.kind)
            step.mix = block.mix
            block.move(grads, self.known_gradients, step.move)
            return
        for p, g in zip(params, grads, strict=True):
            state = self._state_of(group, p, kinds)
            numbers = [state[name]._a.reshape(-1) for name in self.numbers]
            step = self._step(group, numbers, p._a.dtype)
            step.mix = mixer(p._a.dtype, None)
            own = [state[name]._a for name in kinds]
            step.move(p._a, g, own, [np.empty_like(p._a) for _ in range(self.rooms)])


def count(numbers: list[Any]) -> float:
    """Count one step more: the first of the numbers."""
    steps = numbers[0]
    np.add(steps, _ONE, steps)
    return float(steps[0])
