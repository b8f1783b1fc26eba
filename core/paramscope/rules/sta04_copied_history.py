"""STA04: a model is copied with a calculated tensor in it, which cannot be copied."""

import copy
from collections.abc import Iterator
from typing import Any

from paramscope.census.evidence import Evidence
from paramscope.census.failure import FailedFrame, Failure
from paramscope.census.walk import walk_model
from paramscope.rules.examples import document
from paramscope.rules.failing import (
    failure_like,
    found_in,
    last_frame,
    line_that_keeps,
    module_path,
    path_of,
    where_of,
)
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(
    "self.features = None",
    "h = self.features = torch.tanh(self.inner(x))",
    tail="""def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    copy.deepcopy(model)
    return value""",
).replace("import torch\n", "import copy\n\nimport torch\n", 1)
GOOD = BAD.replace(
    "h = self.features = torch.tanh(self.inner(x))",
    "h = torch.tanh(self.inner(x))\n        self.features = h.detach()",
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the attribute that holds the tensor that could not be copied."""
    failure = failure_like(evidence, "support the deepcopy protocol")
    if failure is None:
        return
    copies = [f for f in failure.frames if f.filename == copy.__file__ and "x" in f.names]
    culprit = _culprit(copies, failure, evidence)
    frame = last_frame(failure)
    line = frame.span.line if frame is not None else None
    where = _where(culprit, copies, failure, evidence) or where_of(failure, frame)
    made = _line_of(culprit, failure, evidence) or line
    at = f" by line {line}" if line is not None else ""
    name = where.rpartition(".")[2]
    yield RULE.finding(
        where=where,
        message=(
            f"`{where}` holds a calculated tensor with its history, and is copied{at}: only "
            "tensors that were not calculated can be."
        ),
        cause=(
            f"Keep its value alone, `self.{name} = ....detach()`, or a Parameter if it is to "
            "learn; results that forward needs only once belong in local names."
        ),
        line=made,
    )


def _culprit(copies: list[FailedFrame], failure: Failure, evidence: Evidence) -> Any:
    """Return the tensor that was to be copied last."""
    for frame in reversed([*copies, *failure.frames]):
        for name in ("x", "self"):
            value: Any = frame.names.get(name)
            if evidence.view.is_tensor(value) and not value.is_leaf:
                return value
    return None


def _where(
    culprit: object, copies: list[FailedFrame], failure: Failure, evidence: Evidence
) -> str | None:
    path = path_of(failure, culprit, evidence) if culprit is not None else None
    if path is not None:
        return path
    for frame in copies:
        module = frame.names["x"]
        if not evidence.view.is_module(module):
            continue
        above = module_path(failure, module) or ""
        prefix = "" if above == "model" else above
        for found in walk_model(module, evidence.view, prefix).tensors:
            if found.tensor is culprit:
                return found.path
    return None


def _line_of(culprit: object, failure: Failure, evidence: Evidence) -> int | None:
    """Return the line that keeps the tensor, in ``__init__`` or elsewhere."""
    found = found_in(failure, culprit, evidence) if culprit is not None else None
    if found is None:
        return None
    first = evidence.build.first_tensors.get(found.path)
    assigned = evidence.source.assignment(type(found.owner).__mro__, found.attribute)
    if first is culprit and assigned is not None:
        return assigned.line
    return line_that_keeps(found, failure, evidence)


RULE = Rule(
    id="STA04",
    severity=ERROR,
    title="Calculated tensor in a copied model",
    help=(
        "copy.deepcopy(model) copies every attribute. A tensor that was calculated from others "
        "belongs to a graph, which cannot be copied along. Keep it detached, or do not keep it."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
