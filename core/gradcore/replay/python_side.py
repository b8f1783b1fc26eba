"""What a recorded step takes out of its tensors into Python, and what it leaves there.

``recording`` builds upon this.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np

from gradcore.graph import FREED, Node, TensorBase, user_line
from gradcore.journal import Moving
from gradcore.optim.optimizer import Optimizer
from gradcore.replay.captured import Captured
from gradcore.replay.followed import Draw
from gradcore.replay.looks import Looks
from gradcore.replay.numbers import Book, Evaluate, TakenFloat, TakenInt, plain
from gradcore.replay.pieces import Pieces
from gradcore.replay.program import (
    Call,
    Number,
    Reading,
    RefusalError,
    Returned,
    Side,
    Value,
    Worked,
    parts_of,
    with_values,
)
from gradcore.replay.questions import Asked
from gradcore.replay.rates import Rates
from gradcore.replay.slots import Place
from gradcore.replay.way_back import READS


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
        # Numbers beside the programs, and what is decided by them alone.
        self.sides: list[Side] = []
        self.questions: list[tuple[Any, Any]] = []
        self.rates = Rates()
        self._handed_out: list[TensorBase] = []
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
            self._refuse(str(refusal))
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
        return self.book.take(number, Number(value))

    def number(self, place: int, number: Any) -> Any:
        """Return a number for a free one among the arguments."""
        return self._beside(place, (), number)

    def _beside(self, place: Any, path: tuple[int, ...], number: Any) -> Any:
        side = Side(place, path, number)
        self.sides.append(side)
        return self.book.take(number, side)

    def enter(self, world: Captured) -> None:
        """Follow the values in places that the step changes."""
        for place in world.slots:
            found = place.get()
            if type(found) in (int, float):
                taken = self._beside(place, (), found)
                place.put(taken)
                if any(place.container is group for group in world.groups):
                    self.rates.enter(place, taken)
            else:
                self._enter_tensors(place, found, ())
        for schedule in world.read_schedules:
            place, last = Place(vars(schedule), "_last_lr"), schedule._last_lr
            last[:] = [self._beside(place, (number,), rate) for number, rate in enumerate(last)]

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

    def indexes(self, source: Any) -> Any:
        """Return the number in an index that a tensor, or a taken number, is."""
        if isinstance(source, TensorBase):
            number = Moving(source._a.item())
            self._listen(self._takes, source, int(number))
            number.how = Number(self._item) if self._item is not None else int(number)
        else:
            number = Moving(plain(source))
            number.how = source.how
        return number

    def _ask_of(self, how: Any, answer: Any) -> None:
        self._add_question(how, answer)

    def _add_question(self, how: Any, answer: Any) -> None:
        parts = parts_of(how)
        if any(isinstance(part, Reading) for part in parts):
            raise RefusalError(READS)
        if not any(isinstance(part, Number) for part in parts):
            self.questions.append((how, answer))
            return
        how = with_values(how, self._side_number)
        evaluate = Evaluate(how)
        self.program.calls.append(
            Call(Asked(evaluate, answer), tuple(evaluate.values), self._new())
        )

    def _refuse(self, why: str) -> None:
        self.refused = self.refused or located(why)

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

    # --- settings, and numbers that are drawn

    def settling(self, optimizer: Optimizer) -> None:
        """Let an optimizer, or its schedule, find plain settings."""
        new = self.rates.begin(optimizer)
        if new:
            self._listen(self._sets, optimizer, new)

    def _sets(self, optimizer: Optimizer, new: list[tuple[Place, Any]]) -> None:
        members = [p for group in optimizer.param_groups for p in group["params"]]
        if any(t is p for _, t in self.stepped for p in members):
            self._cut()
        self.part.settings += [(place, self._plain_output(value, [])) for place, value in new]

    def draws_number(self, draw: Draw) -> Any:
        """Return a number that notes what is done with one that was drawn by Python or NumPy."""
        if draw.needs_tensors:
            self._refuse("draws a random number by one that it has taken out of a tensor")
        self.sides.append(draw)
        return self.book.take(draw.now, draw)

    def settled(self, is_schedule: bool = False) -> None:
        """Go on noting what is done with settings."""
        for place, value in self.rates.end(is_schedule):
            reading = Reading(place)
            taken = self.book.take(value, reading)
            self.part.schedules.append((reading, ()))
            place.put(taken)
            self.rates.enter(place, taken)

    def _rates_read(self, schedule: Any) -> None:
        """Let the rates that a schedule remembers be those of its optimizer."""
        last: Any = getattr(schedule, "_last_lr", ())
        groups = schedule.optimizer.param_groups
        if len(last) == len(groups):
            for number, group in enumerate(groups):
                if last[number] == plain(group["lr"]):
                    last[number] = group["lr"]

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
        return Returned(self._of(result), node, result._port, *self._numbers(result))

    def _numbers(self, result: TensorBase) -> tuple[int, int]:
        """Return which of the tensors that are handed out this is, and which memory it has."""
        if all(result is not t for t in self._handed_out):
            for t in self._handed_out:
                if t._a is not result._a and np.shares_memory(t._a, result._a):
                    raise RefusalError(
                        "returns tensors that look at the same memory: hand out a copy of one"
                    )
            self._handed_out.append(result)
        number = next(i for i, t in enumerate(self._handed_out) if t is result)
        return number, next(i for i, t in enumerate(self._handed_out) if t._a is result._a)

    def _plain_output(self, result: Any, inputs: list[Any]) -> Any:
        """Return what stands for something that is no tensor."""
        if isinstance(result, (TakenFloat, TakenInt)):
            return result.how
        if isinstance(result, (Number, Worked, Side, Reading)):
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
        if type(result) in (int, float, str) or id(result) in self.constants:
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


def located(why: str) -> str:
    """Return a reason with the user's line that is being run."""
    place = user_line()
    return f"{why}, at {place}" if place else why


def _assembled(kind: Any, names: tuple[str, ...], *values: Any) -> Any:
    """Return a new object of a dataclass."""
    made = object.__new__(kind)
    for name, value in zip(names, values, strict=True):
        object.__setattr__(made, name, value)
    return made
