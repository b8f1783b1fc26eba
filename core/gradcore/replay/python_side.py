"""What a recorded step takes out of its tensors into Python, and what it leaves there.

``recording`` builds upon this.
"""

import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

from gradcore.graph import FREED, Node, TensorBase
from gradcore.replay.looks import Looks
from gradcore.replay.numbers import Book, Evaluate, TakenFloat, TakenInt
from gradcore.replay.pieces import Pieces
from gradcore.replay.program import Call, Number, RefusalError, Returned, Value, Worked
from gradcore.replay.questions import Asked
from gradcore.replay.slots import Place


class PythonSide(Pieces):
    """Numbers that were taken, places that change, and results."""

    def __init__(
        self, inputs: list[Any], captured: list[TensorBase], function: Callable[..., Any]
    ) -> None:
        super().__init__(inputs, captured)
        self.refused: str | None = None
        self.looks = Looks(function)
        self.book = Book(self._asks, self._refuse, self._leaves_as_float)
        # Numbers and texts that stand in the step's own code, by id.
        self.constants: set[int] = set()
        self.asks_finite = False
        # Values that stand in places of Python when the step begins.
        self.slots: dict[Value, tuple[Place, tuple[int, ...]]] = {}
        self._item: Value | None = None
        self._looked: TensorBase | None = None
        # How many writes to each value there were, and how many when it was looked at.
        self._written_to: dict[Value, int] = {}
        self._seen: dict[Value, int] = {}

    def _listen(self, part: Callable[..., None], *args: Any) -> None:
        if self.refused is not None:
            return
        try:
            part(*args)
        except RefusalError as refusal:
            self.refused = str(refusal)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            self.refused = f"was not understood: {type(error).__name__}: {error}"

    def looked(self, t: TensorBase, number: Any) -> Any:
        """Note that a number is taken out of a tensor; returns one that notes what it is for."""
        self._listen(self._takes, t, number)
        value = self._item
        if self.refused is not None or value is None:
            return number
        if isinstance(number, bool):
            return number
        if self.asks_finite and isinstance(number, float):
            # Python's own functions would tell a NaN unseen.
            self._asks(Worked((math.isfinite, Number(value))), math.isfinite(number))
        return self.book.take(number, Number(value))

    def number(self, place: int, number: Any) -> Any:
        """Return a number for a free one among the arguments."""
        value = self._new()
        self.program.inputs[value] = place
        return self.book.take(number, Number(value))

    def enter(self, slots: list[Place]) -> None:
        """Follow the values in places that the step changes."""
        for place in slots:
            found = place.get()
            if type(found) in (int, float):
                value = self._new()
                self.slots[value] = (place, ())
                place.put(self.book.take(found, Number(value)))
            else:
                self._enter_tensors(place, found, ())

    def _enter_tensors(self, place: Place, found: Any, path: tuple[int, ...]) -> None:
        if isinstance(found, TensorBase):
            if found._rg:
                self._unknown[id(found._a)] = "keeps a leaf of its own, and computes with it"
            elif id(found._a) not in self._values:
                self.slots[self._name(found._a)] = (place, path)
        else:
            for number, part in enumerate(found):
                self._enter_tensors(place, part, (*path, number))

    def _asks(self, how: Any, answer: Any) -> None:
        """Add a question about numbers."""
        self._listen(self._add_question, how, answer)

    def _add_question(self, how: Any, answer: Any) -> None:
        evaluate = Evaluate(how)
        self.program.calls.append(
            Call(Asked(evaluate, answer), tuple(evaluate.values), self._new())
        )

    def _refuse(self, why: str) -> None:
        self.refused = self.refused or why

    def _leaves_as_float(self, number: Any, how: Any) -> None:
        self.looks.add(number, how)

    def _takes(self, t: TensorBase, number: Any) -> None:
        self._check_still(t)
        self._item = None
        value = self._of(t)
        if isinstance(number, complex):
            raise RefusalError("takes a complex number out of a tensor")
        if isinstance(number, bool):
            self._asked(bool, (t,), number)
        self._item = value
        self._looked = t
        self._seen[value] = self._written_to.get(value, 0)

    def _asked(
        self, function: Callable[..., Any], tensors: tuple[TensorBase, ...], answer: Any
    ) -> None:
        self._check_still(tensors)
        given = tuple(self._of(t) for t in tensors)
        self.program.calls.append(Call(Asked(function, answer), given, self._new()))

    # --- results

    def _output(self, result: Any, inputs: list[Any]) -> Any:
        if type(result) in (tuple, list):
            return type(result)([self._output(item, inputs) for item in result])
        if type(result) is dict:
            return {key: self._output(item, inputs) for key, item in result.items()}
        if not isinstance(result, TensorBase):
            return self._plain_output(result, inputs)
        if any(result is item for item in inputs) or id(result) in self._leaves:
            raise RefusalError("returns one of its arguments or captured tensors")
        if result._rg or result._grad is not None:
            raise RefusalError("returns a leaf that it has made")
        node = result._node
        if node is not None and not self._is_spent(node):
            raise RefusalError(
                "returns a tensor whose graph is still needed for a backward pass: hand it out "
                "detached, if nobody sends it backward"
            )
        return Returned(self._of(result), node, result._port)

    def _plain_output(self, result: Any, inputs: list[Any]) -> Any:
        """Return what stands for something that is no tensor."""
        if isinstance(result, (TakenFloat, TakenInt)):
            return result.how
        if isinstance(result, (Number, Worked)):
            return result
        found = self.looks.value_of(result)
        if found is not None:
            return found
        if isinstance(result, tuple) and hasattr(result, "_fields"):
            return Worked((type(result), *[self._output(item, inputs) for item in result]))
        if is_dataclass(result) and not isinstance(result, type):
            parts = {one.name: getattr(result, one.name) for one in fields(result)}
            made = partial(_assembled, type(result), tuple(parts))
            return Worked((made, *[self._output(item, inputs) for item in parts.values()]))
        if self.looks.numbers and result is not None:
            raise RefusalError("returns a number that it works out from one it has taken")
        if result is None or type(result) is bool:
            return result
        if type(result) in (int, str) and not self.book.whole:
            return result
        if id(result) in self.constants:
            return result
        raise RefusalError(f"returns a {type(result).__name__} that comes from none of its tensors")

    def _is_spent(self, node: Node) -> bool:
        """Tell whether no backward pass can go through a node any more, or none needs anything."""
        nodes, needs = [node], False
        while nodes:
            one = nodes.pop()
            if one.saved is FREED:
                return True
            needs = needs or one.saved != ()
            nodes += [edge for edge in one.edges if isinstance(edge, Node)]
        return not needs


def _assembled(kind: Any, names: tuple[str, ...], *values: Any) -> Any:
    """Return a new object of a dataclass."""
    made = object.__new__(kind)
    for name, value in zip(names, values, strict=True):
        object.__setattr__(made, name, value)
    return made
