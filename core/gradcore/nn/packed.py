"""How a recurrent layer walks through packed sequences; `recurrent.py` calls this."""

from collections.abc import Callable
from itertools import groupby
from typing import Any

from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor

States = tuple[Tensor, ...]


def through_packed(
    step: Callable[..., Any], gates: Tensor, starts: States, sizes: list[int], reverse: bool
) -> tuple[Tensor, States]:
    """Run one layer in one direction over packed steps.

    Steps with the same number of sequences are one call of `step(gates, states)`. Forwards,
    the states of sequences that end are set aside; backwards, those that begin join in.

    Returns: the outputs, packed, and the last state of each sequence.
    """
    cat = FUNCTIONS["cat"]
    runs = [(size, len(list(group))) for size, group in groupby(sizes)]
    places = []
    place = 0
    for size, count in runs:
        places.append((place, size, count))
        place += size * count
    outputs: list[Tensor] = []
    states = tuple(start[: runs[-1][0] if reverse else runs[0][0]] for start in starts)
    ended: list[States] = []
    for begin, size, count in reversed(places) if reverse else places:
        have = states[0].shape[0]
        if size > have:
            new = (start[have:size] for start in starts)
            states = tuple(cat([old, more], 0) for old, more in zip(states, new, strict=True))
        elif size < have:
            ended.append(tuple(state[size:] for state in states))
            states = tuple(state[:size] for state in states)
        block = gates[begin : begin + size * count].reshape(count, size, -1)
        found = step(block, states)
        outputs.append(found[0].reshape(size * count, -1))
        states = tuple(found[1:])
    if reverse:
        outputs.reverse()
    last = tuple(
        cat([state, *(group[kind] for group in reversed(ended))], 0) if ended else state
        for kind, state in enumerate(states)
    )
    return (outputs[0] if len(outputs) == 1 else cat(outputs, 0)), last
