"""FRZ03: backward() has nothing to do, since all that the loss depends on is frozen."""

import ast
from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.failure import Failure
from paramscope.census.walk import FoundTensor, Place
from paramscope.rules.examples import document
from paramscope.rules.failing import has_no_graph, last_line, step_where, tree_of
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import parameters, rolled_up, values_in

BAD = document(
    build="model = Net()\nfor p in model.parameters():\n    p.requires_grad = False\nreturn model"
)
GOOD = BAD.replace("model.parameters():", "model.inner.parameters():")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report what is frozen when nothing is left that could get a gradient."""
    failure = evidence.failure
    if failure is None or not has_no_graph(evidence):
        return
    frozen = _frozen(evidence)
    trained = [f for f in parameters(evidence) if _is_read(f, failure)]
    if trained:
        return  # they were cut off on the way, which other rules explain
    if not frozen:
        yield _without_model(failure, evidence)
        return
    groups = rolled_up(frozen, evidence, frozen + parameters(evidence))
    where = groups[0][0] if len(groups) == 1 else "model"
    names = ", ".join(f"`{path}`" for path, _ in groups[:6])
    names += f" and {len(groups) - 6} more" if len(groups) > 6 else ""
    yield RULE.finding(
        where=where,
        message=(
            f"Everything the loss depends on is frozen, so backward() has nothing to do: {names} "
            f"({values_in(frozen)})."
        ),
        cause="Unfreeze the part that is to learn: `.requires_grad_(True)` on the head.",
        line=_line(evidence, failure) or last_line(failure),
    )


def _frozen(evidence: Evidence) -> list[FoundTensor]:
    seen = set()
    found = []
    for item in evidence.walk.tensors:
        is_frozen = item.place is Place.PARAMETER and not item.tensor.requires_grad
        if is_frozen and id(item.tensor) not in seen:
            seen.add(id(item.tensor))
            found.append(item)
    return found


def _is_read(found: FoundTensor, failure: Failure) -> bool:
    return not failure.is_traced or id(found.tensor) in failure.read


def _line(evidence: Evidence, failure: Failure) -> int | None:
    """Return the line that froze them, as far as the text shows it."""
    lines = [
        node.lineno
        for node in ast.walk(tree_of(failure.source))
        if isinstance(node, ast.Attribute) and node.attr == "requires_grad_"
    ]
    return evidence.source.attribute_lines.get("requires_grad") or min(lines, default=None)


def _without_model(failure: Failure, evidence: Evidence) -> Finding:
    where = step_where(failure)
    return RULE.finding(
        where=where,
        message="The loss depends on no Parameter of the model, so backward() has nothing to do.",
        cause="Calculate it from what the model returns, and without torch.no_grad().",
        line=last_line(failure) or evidence.source.function_lines.get(where),
    )


RULE = Rule(
    id="FRZ03",
    severity=ERROR,
    title="Everything is frozen",
    help=(
        "backward() refuses a loss that depends on nothing that requires a gradient. Usually the "
        "whole model was frozen instead of its backbone, or the head was replaced before it."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
