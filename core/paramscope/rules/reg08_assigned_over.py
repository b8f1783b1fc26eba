"""REG08: something else is assigned to the name of a Parameter, and the library refuses it."""

import re
from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.failure import Failure
from paramscope.rules.examples import document
from paramscope.rules.failing import assigned_attribute, last_frame, last_line, module_path
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(
    "self.mix = nn.Parameter(torch.zeros(4))",
    "self.mix = torch.softmax(self.mix, dim=0)\nh = torch.tanh(self.inner(x)) * self.mix",
)
GOOD = BAD.replace("self.mix = torch.softmax", "mix = torch.softmax").replace("* self.mix", "* mix")
_MESSAGE = re.compile(
    r"cannot assign '(?P<given>.+?)' (?:object )?(?:as|to) "
    r"(?P<kind>parameter|child module) '(?P<name>.+?)'"
)
_KINDS = {"parameter": "Parameter", "child module": "Module"}


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the refused assignment with the path of what it would have replaced."""
    failure = evidence.failure
    match = _MESSAGE.search(failure.message) if failure is not None else None
    if failure is None or match is None:
        return
    name = match["name"]
    where = _path(failure, name)
    given = match["given"].rpartition(".")[2]
    what = "a plain tensor" if given.endswith("Tensor") else f"an object of type {given}"
    yield RULE.finding(
        where=where,
        message=(
            f"`{where}` is a registered {_KINDS[match['kind']]}, and here {what} is assigned "
            "to its name: it would no longer be there to be trained."
        ),
        cause=_cause(failure, name),
        line=last_line(failure),
    )


def _path(failure: Failure, name: str) -> str:
    for frame in reversed(failure.frames):
        if frame.function.startswith(("__setattr__", "register_")) and frame.owner is not None:
            return module_path(failure, frame.owner, name) or name
    last = last_frame(failure)
    assigned = assigned_attribute(failure, last) if last is not None else None
    return (module_path(failure, assigned[0], name) if assigned else None) or name


def _cause(failure: Failure, name: str) -> str:
    frame = last_frame(failure)
    if frame is not None and frame.function == "__init__":
        return f"Make it a Parameter again: `self.{name} = nn.Parameter(...)`."
    return (
        f"Give the result a name of its own (`{name} = ...`, without self). To change the values, "
        "write them in place: `with torch.no_grad(): self."
        f"{name}.copy_(...)`."
    )


RULE = Rule(
    id="REG08",
    severity=ERROR,
    title="Parameter overwritten with a plain tensor",
    help=(
        "A name under which a Parameter is registered takes Parameters and None only, so that a "
        "result cannot silently take the place of what is trained. Keep results in local names."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
