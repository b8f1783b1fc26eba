"""REG09: a Module is filled before ``super().__init__()`` has run, or without it."""

import ast
import re
from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.failure import FailedFrame, Failure
from paramscope.rules.examples import document
from paramscope.rules.failing import assigned_attribute, last_frame, module_path, tree_of, where_of
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

GOOD = document()
BAD = GOOD.replace(
    "        super().__init__()\n        self.inner = nn.Linear(4, 4)\n",
    "        self.inner = nn.Linear(4, 4)\n        super().__init__()\n",
)
_MESSAGE = re.compile(r"cannot assign \w+ before Module\.__init__\(\) call")
_INTERNALS = ["_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training"]
_MISSING = re.compile(
    rf"'(?P<class>\w+)' object has no attribute '(?:{'|'.join(_INTERNALS)}|_\w*_hooks\w*)'"
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the first thing that a Module was given, or asked for, too early."""
    failure = evidence.failure
    if failure is None:
        return
    missing = _MISSING.search(failure.message) if failure.kind == "AttributeError" else None
    if missing is None and not _MESSAGE.search(failure.message):
        return
    frame = _frame(failure)
    owner = missing["class"] if missing else type(frame.owner if frame else None).__name__
    where, line, name = _place(failure, frame)
    if line is None or not name:
        line = evidence.source.class_spans.get(owner, (line, line))[0]
    what = f"`self.{name}` is set" if name else "it is used"
    yield RULE.finding(
        where=where,
        message=(
            f"`{owner}` is no Module yet when {what}: its `super().__init__()` "
            f"{_fault(failure, owner)}, so there is nowhere to register anything."
        ),
        cause="Make `super().__init__()` the first line of `__init__`.",
        line=line,
    )


def _frame(failure: Failure) -> FailedFrame | None:
    """Return the innermost call in a method of the document's Modules, or the innermost."""
    frames = [frame for frame in failure.user_frames if frame.owner is not None]
    return frames[-1] if frames else last_frame(failure)


def _place(failure: Failure, frame: FailedFrame | None) -> tuple[str, int | None, str]:
    if frame is None:
        return "model", None, ""
    assigned = assigned_attribute(failure, frame)
    if assigned is not None and assigned[0] is not None and assigned[0] is frame.owner:
        path = module_path(failure, frame.owner, assigned[1]) or assigned[1]
        return path, frame.span.line, assigned[1]
    return where_of(failure, frame), frame.span.line, ""


def _fault(failure: Failure, class_name: str) -> str:
    """Say what became of the call: it comes later, is not made, or is not there."""
    for node in ast.walk(tree_of(failure.source)):
        if not isinstance(node, ast.ClassDef) or node.name != class_name:
            continue
        calls = [n for n in ast.walk(node) if isinstance(n, ast.Attribute) and n.attr == "__init__"]
        made = {id(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
        if any(id(call) in made for call in calls):
            return f"runs only in line {min(c.lineno for c in calls)}"
        if calls:
            return f"in line {calls[0].lineno} lacks its parentheses"
    return "is never called"


RULE = Rule(
    id="REG09",
    severity=ERROR,
    title="Attribute set before super().__init__()",
    help=(
        "nn.Module keeps what it registers in tables that its own __init__ makes. A class that "
        "derives from it must call super().__init__() before it sets its first attribute."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
