"""Values and state of a group's tensors in flat blocks, stepped a stretch at a time.

NumPy is called for some 32,000 values at once and finds them in the cache, however many tensors
they belong to. Where nobody else holds the memory of the parameters, it is moved into one block as
well; otherwise small ones are gathered and put back.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from operator import attrgetter, is_, itemgetter
from sys import getrefcount
from typing import Any

import numpy as np

from gradcore.graph import wrap
from gradcore.tensor import Tensor
from gradcore.tensor.storage import new_block

_STRETCH = 1 << 15
"""How many values are moved at once: five arrays of this length fit a cache of 1 MiB."""
_MOVES = 16
"""So often are values moved into one block; who needs more is better off without."""
_SMALL = (1 << 11, 1 << 12, 1 << 14)
"""Up to this size, gathering tensors costs less than calling NumPy for each: the more state there
is, the more often it would be called."""
_ARRAY, _SHAPE, _DTYPE = attrgetter("_a"), attrgetter("_a.shape"), attrgetter("_a.dtype")

Group = dict[str, Any]
Move = Callable[..., None]


class FlatGradients:
    """Gradients of these tensors, in these arrays, which stand one after the other in ``flat``."""

    __slots__ = ("arrays", "flat", "params")

    def __init__(self, params: list[Any], arrays: list[Any], flat: Any) -> None:
        self.params = params
        self.arrays = arrays
        self.flat = flat

    def match(self, params: Sequence[Any], grads: Sequence[Any]) -> bool:
        """Tell whether these are exactly the gradients of these tensors."""
        return (
            len(params) == len(self.params)
            and all(map(is_, params, self.params))
            and all(map(is_, grads, self.arrays))
        )


def _holders(p: Any) -> int:
    return getrefcount(p._a)


_ALONE = _holders(wrap(np.zeros(1)))


class Values:
    """The values of tensors, moved into one block; ``flat`` is None where that cannot be.

    It cannot where somebody else may look at the memory of one of them.
    """

    def __init__(self, params: list[Tensor], may_move: bool) -> None:
        self.params = list(params)
        self.kind = params[0]._a.dtype
        self.flat: Any = None
        if may_move and all(map(_is_alone, params)):
            self._move()
        self.arrays = list(map(_ARRAY, params))
        self._shapes = list(map(_SHAPE, params))

    def _move(self) -> None:
        memory = new_block(sum(p._a.nbytes for p in self.params))
        self.flat = np.frombuffer(memory, self.kind, sum(p._a.size for p in self.params))
        start = 0
        for p in self.params:
            made: Any = np.ndarray(p._a.shape, self.kind, memory, start)
            np.copyto(made, p._a)
            start += made.nbytes
            p._a = made

    def fit(self, params: Sequence[Tensor]) -> bool:
        """Tell whether these are still the same tensors, with memory as it was."""
        if len(params) != len(self.params) or not all(map(is_, params, self.params)):
            return False
        if self.flat is not None:
            return all(map(is_, map(_ARRAY, params), self.arrays))
        return list(map(_SHAPE, params)) == self._shapes and set(map(_DTYPE, params)) == {self.kind}


def _is_alone(p: Tensor) -> bool:
    """Tell whether nobody but the tensor can look at its memory."""
    a = p._a
    # The local name counts as one.
    if _holders(p) != _ALONE + 1 or p._view is not None:
        return False
    if isinstance(a.base, np.ndarray) and not _is_only_view(a):
        return False
    return a.flags.c_contiguous and a.flags.writeable


def _base_holders(a: Any) -> int:
    return getrefcount(a.base)


_ONLY = _base_holders(np.zeros(2)[1:])


def _is_only_view(a: Any) -> bool:
    """Tell whether an array is the only one that looks at the memory of another."""
    return a.base.base is None and _base_holders(a) == _ONLY


class Scalars:
    """Numbers of one dtype as arrays without axes, which NumPy reads faster than Python's."""

    __slots__ = ("_all", "each")

    def __init__(self, count: int, kind: Any) -> None:
        self._all = np.empty(count, kind)
        self.each = tuple([self._all[i : i + 1].reshape(()) for i in range(count)])

    def set(self, *numbers: float) -> None:
        """Set all of them."""
        self._all[:] = numbers


class Block:
    """The state of all tensors of a group, each kind (by its name) in one array.

    The tensors of the state are views of it. ``counted``: each has a count of steps, too.
    """

    def __init__(
        self, values: Values, states: list[dict[str, Any]], names: Sequence[str], counted: bool
    ) -> None:
        self.values, self.params, self.states = values, values.params, list(states)
        self.kind = values.kind
        self.sizes = [p._a.size for p in self.params]
        self.scalars = Scalars(5, self.kind)
        self.kinds: list[Any] = []
        named = (*names, "step") if counted else tuple(names)
        # Of one name, the getter would return the bare item: ask for it twice.
        named = named * 2 if len(named) == 1 else named
        self._read = itemgetter(*named) if named else None
        for name in names:
            self.kinds.append(self._gather(name, self.kind))
        if counted:
            self._steps = self._gather("step", np.float32)
        self._tensors = self._found(states)
        self._views = list(map(_ARRAY, self._tensors))
        self._divide()

    def _found(self, states: list[dict[str, Any]]) -> list[Any]:
        return [] if self._read is None else list(chain.from_iterable(map(self._read, states)))

    def _gather(self, name: str, kind: Any) -> Any:
        """Let the tensors of this name stand in one array; return it."""
        tensors = [state[name] for state in self.states]
        flat = np.concatenate([t._a.ravel() for t in tensors]).astype(kind, copy=False)
        end = 0
        for t in tensors:
            start, end = end, end + t._a.size
            t._a = flat[start:end].reshape(t._a.shape)
        return flat

    def count(self) -> float | None:
        """Count one step more; return the number if it is the same for all tensors."""
        np.add(self._steps, 1, self._steps)
        counts: list[float] = self._steps.tolist()
        return counts[0] if counts.count(counts[0]) == len(counts) else None

    def _divide(self) -> None:
        """Note the stretches: over the whole block, and so that each gathers whole tensors."""
        total = sum(self.sizes)
        room = min(_STRETCH, total)
        self._rooms = [np.empty(room, self.kind) for _ in range(3)]
        self.stretches = [
            (slice(start, min(start + _STRETCH, total))) for start in range(0, total, _STRETCH)
        ]
        self._runs: list[tuple[int, int, slice]] = []
        first = start = end = 0
        small = _SMALL[min(len(self.kinds), 2)]
        for i, size in enumerate(self.sizes):
            large = size > small or (i and self.sizes[i - 1] > small)
            if i > first and (large or end - start + size > _STRETCH):
                self._runs.append((first, i, slice(start, end)))
                first, start = i, end
            end += size
        self._runs.append((first, len(self.sizes), slice(start, end)))

    def fits(self, params: list[Tensor], states: list[dict[str, Any]]) -> bool:
        """Tell whether these are still the same tensors with the same state."""
        if not self.values.fit(params) or not all(map(is_, states, self.states)):
            return False
        try:
            found = self._found(states)
        except KeyError:
            return False
        return all(map(is_, found, self._tensors)) and all(
            map(is_, map(_ARRAY, found), self._views)
        )

    def move(self, grads: list[Any], known: Sequence[FlatGradients], move: Move) -> None:
        """Call ``move(values, gradient, *state, room)`` for all values, a stretch at a time."""
        flat = self.values.flat
        if flat is not None:
            for gradients in known:
                if gradients.match(self.params, grads):
                    self._move_flat(flat, gradients.flat, move)
                    return
        for values, gradient, at in self._parts(grads):
            room = self._rooms[0][: at.stop - at.start]
            move(values, gradient, *[kind[at] for kind in self.kinds], room)

    def _move_flat(self, values: Any, gradients: Any, move: Move) -> None:
        if len(self.stretches) == 1:
            move(values, gradients, *self.kinds, self._rooms[0])
            return
        for at in self.stretches:
            room = self._rooms[0][: at.stop - at.start]
            move(values[at], gradients[at], *[kind[at] for kind in self.kinds], room)

    def _parts(self, grads: list[Any]) -> Iterator[tuple[Any, Any, slice]]:
        """Yield (values, gradients, where in the block); values are put back where needed."""
        for first, last, part in self._runs:
            if last - first == 1:
                yield from self._parts_of_one(first, grads[first], part)
                continue
            count = part.stop - part.start
            gradient = self._rooms[1][:count]
            np.concatenate([g.ravel() for g in grads[first:last]], out=gradient)
            if self.values.flat is not None:
                yield self.values.flat[part], gradient, part
                continue
            values, params = self._rooms[2][:count], self.params[first:last]
            np.concatenate([p._a.ravel() for p in params], out=values)
            yield values, gradient, part
            end = 0
            for p in params:
                start, end = end, end + p._a.size
                np.copyto(p._a, values[start:end].reshape(p._a.shape))

    def _parts_of_one(self, i: int, g: Any, part: slice) -> Iterator[tuple[Any, Any, slice]]:
        own = self.params[i]._a
        plain = own.flags.c_contiguous
        values, g = own.reshape(-1) if plain else own.ravel(), g.reshape(-1)
        for start in range(0, values.size, _STRETCH):
            at = slice(start, start + _STRETCH)
            near = values[at]
            begin = part.start + start
            yield near, g[at], slice(begin, begin + near.size)
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
        self,
        group: Group,
        params: list[Tensor],
        states: list[dict[str, Any]],
        names: Sequence[str],
        counted: bool = False,
    ) -> Block | None:
        """Return the block that holds the state of these tensors; None where none can."""
        found = self._blocks.get(id(group))
        if found is not None and found.fits(params, states):
            return found
        values = self.values(group, params)
        if values is None:
            return None
        made = self._blocks[id(group)] = Block(values, states, names, counted)
        return made
