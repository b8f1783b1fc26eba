"""STA03: a backward pass runs into a graph that an earlier one has used up."""

import ast
from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.failure import Failure
from paramscope.census.states import is_as_built
from paramscope.census.walk import FoundTensor, Place, join_path
from paramscope.rules.examples import document
from paramscope.rules.failing import (
    failure_like,
    function_at,
    last_line,
    line_that_keeps,
    step_where,
    tree_of,
)
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(
    "self.state = torch.zeros(16, 4)",
    "h = torch.tanh(self.inner(x) + 0.5 * self.state)\nself.state = h",
)
GOOD = BAD.replace("self.state = h\n", "self.state = h.detach()\n")
_HELD = (Place.ATTRIBUTE, Place.CLASS_ATTRIBUTE, Place.CONTAINER, Place.FOREIGN)
_HELD_AS_BUFFER = (Place.BUFFER, Place.BUFFER_NOT_SAVED)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report what carries the graph over: a state of the model, a global, or a second call."""
    failure = failure_like(evidence, "backward through the graph a second time")
    if failure is None:
        return
    carriers = _carriers(failure)
    if carriers:
        yield from _carried(failure, carriers, evidence)
    elif failure.earlier_backward is not None and not failure.is_older:
        yield _second_call(failure)
    elif failure.outside:
        yield _carried_outside(failure)
    else:
        yield _second_call(failure)


def _carriers(failure: Failure) -> list[FoundTensor]:
    """Return what the model held with its history when the step began, and the step has read."""
    before = [found for found in failure.before.tensors if _has_history(found)]
    if failure.is_traced:
        return [found for found in before if id(found.tensor) in failure.read]
    return [found for root in failure.roots for found in root.walk.tensors if _has_history(found)]


def _has_history(found: FoundTensor) -> bool:
    held = found.place in _HELD + _HELD_AS_BUFFER
    return held and bool(found.tensor.requires_grad) and not found.tensor.is_leaf


def _carried(
    failure: Failure, carriers: list[FoundTensor], evidence: Evidence
) -> Iterator[Finding]:
    seen = set()
    for found in carriers:
        where = join_path(found.owner_path, found.attribute)
        is_calculated = found.place in (Place.ATTRIBUTE, Place.CLASS_ATTRIBUTE)
        if where in seen or (is_calculated and is_as_built(found, evidence)):
            continue  # calculated from a Parameter in __init__: that is a mistake of its own
        seen.add(where)
        yield RULE.finding(
            where=where,
            message=(
                f"`{where}` carries the graph of the last batch into this one. Its backward() "
                "runs on into the last batch's operations, whose values are gone."
            ),
            cause=f"Cut it where it is kept: `self.{found.attribute} = ....detach()`.",
            line=line_that_keeps(found, failure, evidence) or last_line(failure),
        )


def _carried_outside(failure: Failure) -> Finding:
    name = next(iter(failure.outside))
    lines = [
        node.lineno
        for node in ast.walk(tree_of(failure.source))
        if isinstance(node, ast.Name)
        and node.id == name
        and function_at(failure.source, node.lineno)
    ]
    return RULE.finding(
        where=step_where(failure),
        message=(
            f"The global `{name}` carries the graph of the last batch into this one. Its "
            "backward() runs on into the last batch's operations, whose values are gone."
        ),
        cause="Keep it without its history: `.detach()`.",
        line=max(lines, default=last_line(failure)),
    )


def _second_call(failure: Failure) -> Finding:
    earlier, needed = failure.earlier_backward, failure.gradient_of
    at = earlier.span.line if earlier is not None and earlier.span is not None else None
    first = f"the backward() in line {at}" if at is not None else "an earlier backward()"
    through = ""
    if needed is not None and needed.span is not None:
        through = f" through `{needed.operation}` in line {needed.span.line}"
    return RULE.finding(
        where=step_where(failure),
        message=f"This backward() goes{through} again, where {first} has used the values up.",
        cause=(
            "Add the losses and call backward() once; or detach() what both share; or run "
            "forward again."
        ),
        line=last_line(failure) or at or (needed.span.line if needed and needed.span else None),
    )


RULE = Rule(
    id="STA03",
    severity=ERROR,
    title="Graph carried from batch to batch",
    help=(
        "backward() lets go of what the forward pass had kept. A state that is kept with its "
        "history ties the next batch to it. Keep the value alone, with detach(); retain_graph=True "
        "would make every step slower than the last."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
