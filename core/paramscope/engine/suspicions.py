"""What one traced step has seen that may keep a gradient away, until it is known who has none.

Values are followed as bits of an integer, one for each tensor of the model.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paramscope.census.engine_view import EngineView
from paramscope.census.evidence import Cut, Dead, TensorUse
from paramscope.code.graph import Span
from paramscope.engine.leaves import requires_grad
from paramscope.engine.operation_names import FLAT, GATES, GIVES_POSITIONS

MAX_CUTS = 2_000


@dataclass(slots=True)
class Suspicions:
    """Places where a value goes on and its gradient does not, or only as nothing."""

    cuts: list[tuple[int, Cut, frozenset[int]]] = field(default_factory=list)
    choices: list[tuple[int, Cut]] = field(default_factory=list)
    flats: list[tuple[int, Cut]] = field(default_factory=list)
    zero_factors: list[tuple[int, Cut]] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)

    def note_operation(
        self,
        name: str,
        inputs: tuple[Any, ...],
        outputs: tuple[Any, ...],
        live: int,
        span: Span | None,
    ) -> None:
        """Note an operation whose inputs could have a gradient; ``live`` is whose values they are.

        Positions, as ``topk`` gives them beside the values, count for less than a cut: the
        values may go on.
        """
        if not live:
            return
        if not any(requires_grad(output) for output in outputs):
            if len(self.cuts) < MAX_CUTS:
                direct = frozenset(id(tensor) for tensor in inputs if requires_grad(tensor))
                self.cuts.append((live, Cut(name, span), direct))
        elif name in FLAT:
            if len(self.flats) < MAX_CUTS:
                self.flats.append((live, Cut(name, span)))
        elif len(outputs) > 1 and name in GIVES_POSITIONS and len(self.choices) < MAX_CUTS:
            self.choices.append((live, Cut(name, span)))

    def assign(self, bits: Mapping[int, int], uses: dict[int, TensorUse]) -> None:
        """Tell each tensor what it met, now that the gradients are there.

        A tensor with a gradient has not been cut off; the others look for the first cut.
        """
        by_bit = {bit.bit_length() - 1: key for key, bit in bits.items()}
        without = 0
        for key, bit in bits.items():
            if key not in uses or not uses[key].had_gradient:
                without |= bit
        for mask, cut, direct in self.cuts:
            for key in _keys_in(mask & without, by_bit):
                use = uses.setdefault(key, TensorUse())
                use.cuts.append(cut)
                if key in direct:
                    use.direct.add(cut)
        for mask, cut in self.choices:
            for key in _keys_in(mask & without, by_bit):
                uses.setdefault(key, TensorUse()).cuts.append(cut)
        for mask, cut in self.flats:
            for key in _keys_in(mask, by_bit):
                uses.setdefault(key, TensorUse()).flats.append(cut)
        for mask, cut in self.zero_factors:
            for key in _keys_in(mask, by_bit):
                uses.setdefault(key, TensorUse()).zero_factors.append(cut)


def lets_nothing_through(name: str, output: Any, view: EngineView) -> bool:
    """Tell whether a gate is shut for every value, or a softmax has one value to choose from."""
    if name not in GATES and name != "softmax":
        return False
    array = view.array(output)
    if array is None or array.size == 0:
        return False
    return not array.any() if name in GATES else bool((array == 1).all())


def is_zero_factor(inputs: tuple[Any, ...], output: Any, view: EngineView) -> bool:
    """Tell whether a value is taken times nothing: by a number, not by what is learnt."""
    flowing = [tensor for tensor in inputs if requires_grad(tensor)]
    if len(flowing) != 1 or any(t.numel() > 1 for t in inputs if t is not flowing[0]):
        return False
    made, given = view.array(output), view.array(flowing[0])
    if made is None or given is None or made.size == 0:
        return False
    return not made.flat[0] and bool(not made.any() and given.any())


def _keys_in(mask: int, by_bit: Mapping[int, int]) -> Iterator[int]:
    if not mask:
        return
    data = mask.to_bytes((mask.bit_length() + 7) // 8, "little")
    found = np.flatnonzero(np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little"))
    for number in found.tolist():
        if number in by_bit:
            yield by_bit[number]
