"""Values and state of a group's tensors in flat blocks, stepped a stretch at a time.

NumPy is called for some 60,000 values at once and finds them in the cache, however many tensors
they belong to. Where nobody else holds the memory of the parameters, it is moved into one block as
well; otherwise small ones are gathered and put back.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradcore.optim.gradients import FlatGradients, Kept
from gradcore.optim.mixing import Places, mixer
from gradcore.optim.moving import flat_memory, is_alone, moved_together, same
from gradcore.optim.state import edits, is_watched
from gradcore.tensor import Tensor

_STRETCH = 1 << 16
"""How many values are moved at once: more leave the nearer caches, fewer cost more calls."""
_LINE = 16
"""Stretches begin at multiples of this: a cache line, for values of four bytes."""
_MOVES = 16
"""So often are values moved into one block; who needs more is better off without."""
_SMALL = (1 << 11, 1 << 12, 1 << 14)
"""Up to this size, gathering tensors costs less than calling NumPy for each: the more state there
is, the more often it would be called."""

Group = dict[str, Any]
Move = Callable[[Any, Any, Sequence[Any], Sequence[Any]], None]
"""Moves values by their gradient, with arrays of state, and arrays of room, for as many."""


class Values:
    """The values of tensors, moved into one block; ``flat`` is None where that cannot be.

    It cannot where somebody else may look at the memory of one of them.
    """

    def __init__(self, params: list[Tensor], may_move: bool) -> None:
        self.params = list(params)
        self.kind = params[0]._a.dtype
        can_move = may_move and all(map(is_alone, params))
        self.flat: Any = moved_together(params, self.kind) if can_move else None
        self.arrays = [p._a for p in params]
        self.has_single = any(a.size < 2 for a in self.arrays)
        self._shapes = [a.shape for a in self.arrays]
        if self.flat is None:
            # What does not stand here may go away.
            self.arrays = []

    def fit(self, params: Sequence[Tensor]) -> bool:
        """Tell whether these are still the same tensors, with memory as it was."""
        if not same(params, self.params, True):
            return False
        if self.flat is not None:
            return same([p._a for p in params], self.arrays, self.has_single)
        return [p._a.shape for p in params] == self._shapes and {p._a.dtype for p in params} == {
            self.kind
        }


class _Run(NamedTuple):
    """Neighbouring tensors that are moved together, and their parts of the blocks.

    ``values`` is None where they do not stand in a block; ``own``: of a single tensor, only the
    bounds of its parts are known.
    """

    first: int
    last: int
    own: slice
    values: Any
    state: tuple[Any, ...]
    rooms: tuple[Any, ...]


_Part = tuple[Any, Any, tuple[Any, ...], tuple[Any, ...]]
"""A stretch: its values, gradients, state and room."""


class Block:
    """The state of all tensors of a group, each kind (by its name) in one array.

    The tensors of the state are views of it. ``numbers``: those of which each tensor has one.
    """

    def __init__(
        self,
        values: Values,
        states: list[dict[str, Any]],
        names: tuple[str, ...],
        numbers: tuple[str, ...],
        rooms: int,
    ) -> None:
        self.values, self.params, self.kind = values, values.params, values.kind
        self.names = names + numbers
        self._sizes = [p._a.size for p in self.params]
        self._states = states
        self.state = [self._gather(name, self.kind) for name in names]
        self.numbers = [self._gather(name, np.dtype(np.float32)) for name in numbers]
        self._held = [(name, [state[name] for state in states]) for name in self.names]
        tensors = [t for _, held in self._held for t in held]
        # Lists of larger arrays are compared in much less time: see `same`.
        self._large = [t for t in tensors if t._a.size > 1]
        self._single = [t for t in tensors if t._a.size <= 1]
        self._views = [t._a for t in self._large], [t._a for t in self._single]
        self._owner: Any = None
        self._edits = -1
        del self._states
        self._kept = Kept()
        self._partner: FlatGradients | None = None
        self._parts: list[_Part] = []
        self._places = Places()
        self.mix = mixer(self.kind, self._places)
        self._divide(rooms)

    def _gather(self, name: str, kind: Any) -> Any:
        """Let the tensors of this name stand in one array; return it."""
        tensors = [state[name] for state in self._states]
        _, flat = flat_memory(sum(t._a.size for t in tensors), kind)
        end = 0
        for t in tensors:
            start, end = end, end + t._a.size
            made = flat[start:end].reshape(t._a.shape)
            np.copyto(made, t._a)
            t._a = made
        return flat

    def agree(self) -> bool:
        """Tell whether the numbers of all tensors are the same."""
        return all(a.tobytes() == a[:1].tobytes() * a.size for a in self.numbers)

    def fits(self, params: list[Tensor], states: dict[Any, Any], names: tuple[str, ...]) -> bool:
        """Tell whether these are still the same tensors with the same state."""
        if self.names != names or not self.values.fit(params):
            return False
        is_known = states is self._owner and edits[0] == self._edits
        if names and not is_known and not self._finds_its_own(params, states):
            return False
        large, single = self._views
        return same([t._a for t in self._large], large, False) and same(
            [t._a for t in self._single], single, True
        )

    def _finds_its_own(self, params: list[Tensor], states: dict[Any, Any]) -> bool:
        """Tell whether the state holds the tensors that it held, and note when it was so."""
        now = edits[0]
        own = list(map(states.__getitem__, params))
        for name, tensors in self._held:
            if not same([state.get(name) for state in own], tensors, True):
                return False
        # What is not counted has to be looked up each time.
        self._owner, self._edits = (states, now) if is_watched(states) else (None, -1)
        return True

    # --- parts

    def _divide(self, rooms: int) -> None:
        """Note the stretches: over the whole block, and so that each gathers whole tensors."""
        total = sum(self._sizes)
        count = max(1, -(-total // _STRETCH))
        width = -(-total // (count * _LINE)) * _LINE
        self._stretches = [slice(at, min(at + width, total)) for at in range(0, total, width or 1)]
        room = max(1, min(max(width, _STRETCH), total))
        self._rooms = [flat_memory(room, self.kind)[1] for _ in range(rooms)]
        self._gathered: dict[int, tuple[Any, Any]] = {}
        self._pieces: dict[int, list[tuple[slice, _Part]]] = {}
        self._runs: list[_Run] = []
        first = start = end = 0
        small = _SMALL[min(len(self.state), 2)]
        for i, size in enumerate(self._sizes):
            large = size > small or (i and self._sizes[i - 1] > small)
            if i > first and (large or end - start + size > _STRETCH):
                self._runs.append(self._run(first, i, slice(start, end)))
                first, start = i, end
            end += size
        self._runs.append(self._run(first, len(self._sizes), slice(start, end)))

    def _run(self, first: int, last: int, part: slice) -> _Run:
        state = tuple([flat[part] for flat in self.state])
        flat = self.values.flat
        count = part.stop - part.start
        rooms = tuple([room[:count] for room in self._rooms])
        values = None if flat is None else flat[part]
        self._places.add(values, *state, *rooms)
        return _Run(first, last, part, values, state, rooms)

    def move(self, grads: list[Any], known: Sequence[FlatGradients], move: Move) -> None:
        """Call ``move`` for all values, a stretch at a time."""
        if self.values.flat is not None and self._finds(grads, known):
            for part in self._parts:
                move(*part)
            return
        for run in self._runs:
            if run.last - run.first == 1:
                self._move_one(run, grads[run.first], move)
            else:
                self._move_small(run, grads[run.first : run.last], move)

    def _finds(self, grads: list[Any], known: Sequence[FlatGradients]) -> bool:
        """Tell whether the gradients stand in one block; ``_parts`` are the stretches then."""
        partner = self._partner
        if partner is not None and partner.hold(grads):
            return True
        for one in known:
            if one.match(self.params, grads):
                return self._join(one)
        kept = self._kept.find(self.params, grads)
        return kept is not None and self._join(kept)

    def _join(self, gradients: FlatGradients) -> bool:
        """Pair the stretches of the values with those of the gradients."""
        self._partner = gradients
        for values, _, state, rooms in self._parts:
            self._places.forget(values, *state, *rooms)
        self._parts = [self._part(at, gradients.flat[at]) for at in self._stretches]
        return True

    def _part(self, at: slice, gradient: Any) -> _Part:
        """Return a stretch of values with its state and room."""
        rooms = tuple([room[: at.stop - at.start] for room in self._rooms])
        state = tuple([flat[at] for flat in self.state])
        values = None if self.values.flat is None else self.values.flat[at]
        self._places.add(values, *state, *rooms)
        return values, gradient, state, rooms

    def _gathered_in(self, run: _Run) -> tuple[Any, Any]:
        """Return room for the gradients and values of a run."""
        if not self._gathered:
            size = max(run.own.stop - run.own.start for run in self._runs)
            gradients, values = [flat_memory(size, self.kind)[1] for _ in range(2)]
            for one in self._runs:
                count = one.own.stop - one.own.start
                self._gathered[one.first] = gradients[:count], values[:count]
                self._places.add(*self._gathered[one.first])
        return self._gathered[run.first]

    def _move_small(self, run: _Run, grads: list[Any], move: Move) -> None:
        """Move tensors together: gradients are gathered, values, where needed, and put back."""
        gradient, values = self._gathered_in(run)
        np.concatenate([g.ravel() for g in grads], out=gradient)
        if run.values is not None:
            move(run.values, gradient, run.state, run.rooms)
            return
        params = self.params[run.first : run.last]
        np.concatenate([p._a.ravel() for p in params], out=values)
        move(values, gradient, run.state, run.rooms)
        end = 0
        for p in params:
            start, end = end, end + p._a.size
            np.copyto(p._a, values[start:end].reshape(p._a.shape))

    def _move_one(self, run: _Run, g: Any, move: Move) -> None:
        """Move a large tensor by its own gradient, a stretch at a time."""
        own = self.params[run.first]._a
        plain = own.flags.c_contiguous
        values, g = own.reshape(-1) if plain else own.ravel(), g.reshape(-1)
        pieces = self._pieces.get(run.first)
        if pieces is None:
            begin, end = run.own.start, run.own.stop
            cuts = [slice(at, min(at + _STRETCH, end)) for at in range(begin, end, _STRETCH)]
            pieces = [(slice(c.start - begin, c.stop - begin), self._part(c, None)) for c in cuts]
            self._pieces[run.first] = pieces
        for at, (part, _, state, rooms) in pieces:
            move(values[at] if part is None else part, g[at], state, rooms)
        if not plain:
            np.copyto(own, values.reshape(own.shape))


def may_share(params: list[Tensor]) -> bool:
    """Tell whether the state of these tensors can stand in one block."""
    kind = params[0]._a.dtype
    return (
        kind.kind == "f"
        and all(p._a.dtype is kind for p in params)
        and len({id(p) for p in params}) == len(params)
    )


class Blocks:
    """The blocks of an optimizer's groups, made anew where a group's tensors change."""

    def __init__(self) -> None:
        self._values: dict[int, Values] = {}
        self._moves = 0
        self._blocks: dict[int, Block] = {}

    def values(self, group: Group, params: list[Tensor]) -> Values | None:
        """Return the values of these tensors of a group, in one block where that can be."""
        found = self._values.get(id(group))
        if found is not None and found.fit(params):
            return found
        if not params or not may_share(params):
            return None
        # Two optimizers of one parameter would else move it to and fro.
        self._moves += 1
        made = self._values[id(group)] = Values(params, self._moves <= _MOVES)
        return made

    def find(
        self, group: Group, params: list[Tensor], states: dict[Any, Any], names: tuple[str, ...]
    ) -> Block | None:
        """Return the block that holds the state of these tensors, if there is one."""
        found = self._blocks.get(id(group))
        return found if found is not None and found.fits(params, states, names) else None

    def make(
        self,
        group: Group,
        params: list[Tensor],
        states: list[dict[str, Any]],
        names: tuple[str, ...],
        numbers: tuple[str, ...],
        rooms: int,
    ) -> Block | None:
        """Move the state of these tensors into a new block; None where that cannot be."""
        values = self.values(group, params)
        if values is None:
            return None
        made = self._blocks[id(group)] = Block(values, states, names, numbers, rooms)
        return made
