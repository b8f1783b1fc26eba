"""INP01: a Parameter is changed in place while autograd is watching, and the library refuses."""

from collections.abc import Iterator
from typing import Any

from paramscope.census.evidence import Evidence
from paramscope.census.failure import FailedFrame, Failure
from paramscope.rules.examples import document
from paramscope.rules.failing import (
    failure_like,
    found_in,
    last_frame,
    named_tensors,
    path_of,
    statement_at,
    text_of,
    where_of,
)
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(
    "self.scale = nn.Parameter(torch.ones(4))",
    "self.scale *= 0.99\nh = torch.tanh(self.inner(x)) * self.scale",
)
GOOD = BAD.replace("self.scale *= 0.99", "with torch.no_grad():\n            self.scale *= 0.99")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the write, with the path of what it would have changed."""
    failure = failure_like(
        evidence,
        "a leaf Variable that requires grad is being used in an in-place operation",
        "a view of a leaf Variable that requires grad is being used in an in-place operation",
        "a leaf Variable that requires grad has been used in an in-place operation",
    )
    frame = last_frame(failure) if failure is not None else None
    if failure is None or frame is None:
        return
    where = _where(failure, frame, evidence)
    statement = statement_at(failure.source, frame.span)
    written = text_of(failure, statement).partition("\n")[0][:80] if statement else "this line"
    yield RULE.finding(
        where=where,
        message=(
            f"`{written}` changes {_what(where)} in place while autograd is watching: "
            "the value that its gradient belongs to would be gone."
        ),
        cause="Put it into `with torch.no_grad():`, or calculate a new tensor instead.",
        line=frame.span.line,
    )


def _where(failure: Failure, frame: FailedFrame, evidence: Evidence) -> str:
    for named in named_tensors(failure, frame, evidence):
        if not _is_refused(failure, named.tensor, evidence):
            continue
        # A variable that runs over all Parameters stands for none of them by name.
        if named.is_of_loop:
            break
        path = path_of(failure, named.tensor, evidence)
        if path is not None:
            return path
    return where_of(failure, frame)


def _is_refused(failure: Failure, tensor: Any, evidence: Evidence) -> bool:
    found = found_in(failure, tensor, evidence)
    held: Any = found.tensor if found is not None else tensor
    return bool(held.requires_grad and held.is_leaf)


def _what(where: str) -> str:
    words = {"train_step", "loss", "model", "forward", "optimizer"}
    return "a Parameter" if where in words else f"`{where}`"


RULE = Rule(
    id="INP01",
    severity=ERROR,
    title="Parameter changed in place outside no_grad()",
    help=(
        "A gradient belongs to the value that was used. So a tensor that requires one can only be "
        "written to where nothing is recorded: under torch.no_grad(), as optimizers do."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
