"""What the three rules about cut gradients share: which operation cut first, and what to say."""

from collections.abc import Callable, Iterator

from paramscope.census.evidence import Cut, Evidence, UseSummary
from paramscope.census.walk import FoundTensor
from paramscope.rules.finding import Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import rolled_up, values_in, without_gradient

LEADING_OUT = frozenset(
    {"detach", "detach_", "data", "item", "numpy", "tolist", "__array__", "array", "tensor"}
    | {"float", "int", "bool", "as_tensor", "new_tensor", "__float__", "__int__", "complex"}
)
_CHOICES = """
    argmax argmin argsort gt lt ge le eq ne greater less greater_equal less_equal not_equal
    isclose sign searchsorted bucketize multinomial bernoulli one_hot long int bool logical_and
    logical_or logical_not heaviside count_nonzero nonzero isfinite isnan topk sort max min
    median nanmedian mode kthvalue cummax cummin floor_divide div_floor unique round floor ceil
    trunc
"""
CHOICES = frozenset(_CHOICES.split())


def cut_of(use: UseSummary | None) -> Cut | None:
    """Return the operation that cut a tensor off, None if none did.

    Reading it under ``no_grad`` as well is no cut: what was recorded has gone nowhere then.
    """
    for cut in use.cuts if use is not None else ():
        is_ordinary = cut.operation not in LEADING_OUT and cut.operation not in CHOICES
        if use is not None and is_ordinary and use.is_recorded and cut in use.direct:
            continue
        return cut
    return None


def findings_by_cut(
    evidence: Evidence,
    rule: Rule,
    is_its_own: Callable[[str], bool],
    message: str,
    cause: str,
) -> Iterator[Finding]:
    """Report the Parameters without gradient whose first cut is one of the rule's own."""
    groups: dict[Cut, list[FoundTensor]] = {}
    for found, use in without_gradient(evidence):
        cut = cut_of(use)
        if cut is not None and is_its_own(cut.operation):
            groups.setdefault(cut, []).append(found)
    everything = [found for items in groups.values() for found in items]
    first_cut = {id(found.tensor): cut for cut, items in groups.items() for found in items}
    for path, items in rolled_up(everything, evidence):
        cut = first_cut[id(items[0].tensor)]
        at = f" in line {cut.span.line}" if cut.span is not None else ""
        yield rule.finding(
            where=path,
            message=message.format(
                path=path, values=values_in(items), cut=f"`{cut.operation}`{at}"
            ),
            cause=cause,
            line=cut.span.line if cut.span is not None else None,
        )
