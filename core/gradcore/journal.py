"""What a recording is told of a step, beside the operations.

``graph.journal`` is set together with the recorder; ``replay`` records with both.
"""

from collections.abc import Callable
from typing import Any, Protocol

Tensor = Any
"""A tensor, whose class is made above this module."""
Node = Any
"""A node of the tape."""


class Noted:
    """A number that notes what is done with it while a step is recorded; ``number``: just that."""

    __slots__ = ("number",)
    number: Any


class Moving(int):
    """A whole number in an index that is another one in each step; ``how``: what it comes from."""

    how: Any


def plain(item: Any) -> Any:
    """Return a number without its notes, anything else as it is."""
    return item.number if isinstance(item, Noted) else item


class Journal(Protocol):
    """What a recording is told beside the recorder's events: work that no operation stands for.

    It is set together with the recorder, and must not change what it is given.
    """

    def work(self, function: Callable[..., Any], tensors: tuple[Tensor, ...], values: Any) -> None:
        """``function(*arrays, *values)`` writes the first array, or draws random numbers into it.

        It is about to, or just has: either way it is done once.
        """

    def call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """``function(*args)``, which changes gradients by their values, was called."""

    def drawn(
        self, function: Callable[..., Any], args: tuple[Any, ...], generator: Any, values: Any
    ) -> None:
        """``values`` is ``function(*args, generator)``, which draws random numbers."""

    def asked(self, function: Callable[..., Any], tensors: tuple[Tensor, ...], answer: Any) -> None:
        """``function(*arrays)`` gave this answer, on which it depends what is done next."""

    def worked_out(self, function: Callable[..., Any], inputs: tuple[Any, ...], array: Any) -> None:
        """``array`` is ``function`` of the inputs' arrays; no operation stands for it."""

    def looked(self, t: Tensor, number: Any) -> Any:
        """The one value of a tensor is handed out: as this Python number, or what is returned."""

    def gave(self, t: Tensor) -> None:
        """``t`` is what the call told of last has returned."""

    def begun(self, t: Tensor, edge: Any, start: Tensor, is_given: bool, as_tensors: bool) -> None:
        """A backward pass begins at ``t``, which leads to ``edge``, with the gradient ``start``."""

    def taken(self, targets: list[Tensor], nodes: list[Any], results: list[Any]) -> None:
        """A pass hands out the gradients of ``targets``, each the output of a node or a leaf."""

    def ended(self) -> None:
        """A backward pass is over."""

    def indexes(self, source: Any) -> Any:
        """Return the number in an index that a tensor of one value, or a `Noted` number, is."""

    def settling(self, optimizer: Any) -> None:
        """An optimizer, or a schedule of it, is about to step: it must find plain settings."""

    def settled(self) -> None:
        """The optimizer has stepped. Of schedules, ``call`` tells."""

    def applied(self, outputs: tuple[Tensor, ...]) -> None:
        """A user's ``Function`` has made these, by operations that were told."""

    def reached(self, node: Node, g: Any) -> None:
        """Backward reached a node with hooks, or a user's, with these gradients."""

    def led_on(self, node: Node, g: Any) -> None:
        """The hooks before that node have made these of them."""

    def passed(self, node: Node, gradients: Any) -> None:
        """The node's own gradients, before the hooks behind it."""

    def arrived(self, leaf: Tensor, g: Any) -> None:
        """A gradient is about to go through a leaf's hooks."""

    def arrived_as(self, leaf: Tensor, g: Any) -> None:
        """The leaf's hooks have made this of it."""
