"""DTY01: a gradient is asked for whole numbers, which cannot have one."""

import ast
from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.failure import FailedFrame, Failure
from paramscope.rules.examples import document
from paramscope.rules.failing import (
    assigned_attribute,
    failure_like,
    function_at,
    last_frame,
    module_path,
    named_tensors,
    path_of,
    resolve,
    statement_at,
    tree_of,
    where_of,
)
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(
    "self.scale = nn.Parameter(torch.tensor([1, 2, 3, 4]))",
    "h = torch.tanh(self.inner(x)) * self.scale",
)
GOOD = BAD.replace("[1, 2, 3, 4]", "[1.0, 2.0, 3.0, 4.0]")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the line, and the name that the tensor was to be given."""
    failure = failure_like(
        evidence,
        "nly Tensors of floating point and complex dtype can require gradients",
        "nly Tensors of floating point dtype can require gradients",
    )
    frame = last_frame(failure) if failure is not None else None
    if failure is None or frame is None:
        return
    where, is_attribute = _where(failure, frame, evidence)
    what = f"`{where}`" if is_attribute else "A tensor"
    yield RULE.finding(
        where=where,
        message=f"{what} is to get a gradient, and it is made of whole numbers, which have none.",
        cause="Make it of floating-point numbers: `dtype=torch.float32`, `.float()`, `1.0`.",
        line=frame.span.line,
    )


def _where(failure: Failure, frame: FailedFrame, evidence: Evidence) -> tuple[str, bool]:
    # A helper of the document may have made it: the attribute is assigned further out.
    for outer in reversed(failure.user_frames):
        assigned = assigned_attribute(failure, outer)
        if assigned is not None and evidence.view.is_module(assigned[0]):
            path = module_path(failure, assigned[0], assigned[1])
            return path or assigned[1], True
        if outer.owner is not None:
            break
    for named in named_tensors(failure, frame, evidence):
        path = path_of(failure, named.tensor, evidence)
        if path is not None and not evidence.view.is_floating(named.tensor):
            return path, True
    attribute = _later_attribute(failure, frame)
    path = module_path(failure, frame.owner, attribute) if attribute else None
    return (path, True) if path is not None else (where_of(failure, frame), False)


def _later_attribute(failure: Failure, frame: FailedFrame) -> str:
    """Return the attribute to which the function goes on to assign the line's local name."""
    if frame.owner is None:
        return ""
    statement = statement_at(failure.source, frame.span)
    names = {
        node.id for node in ast.walk(statement or ast.Module([], [])) if isinstance(node, ast.Name)
    }
    for node in ast.walk(tree_of(failure.source)):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if not isinstance(target, ast.Attribute) or not isinstance(node, ast.Assign):
            continue
        is_later = node.lineno >= frame.span.line
        is_near = function_at(failure.source, node.lineno) == frame.function
        given = {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)}
        if is_later and is_near and given & names and resolve(target.value, frame) is frame.owner:
            return target.attr
    return ""


RULE = Rule(
    id="DTY01",
    severity=ERROR,
    title="Gradient of whole numbers",
    help=(
        "Gradients are small steps, and whole numbers have none between them. torch.arange(4) and "
        "torch.tensor([1, 2]) make whole numbers; write 1.0, or dtype=torch.float32."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
