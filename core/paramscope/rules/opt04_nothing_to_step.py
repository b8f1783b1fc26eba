"""OPT04: the optimizer is given an empty list; here is why it is empty."""

import ast
import difflib
from collections.abc import Iterator
from types import FunctionType, GeneratorType
from typing import Any

from paramscope.census.evidence import Evidence
from paramscope.census.failure import FailedFrame, Failure, Root
from paramscope.census.walk import Place
from paramscope.rules.examples import document
from paramscope.rules.failing import (
    failure_like,
    last_frame,
    last_line,
    resolve,
    statement_at,
    tree_of,
)
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(
    optimizer="weights = model.parameters()\n"
    'print(sum(p.numel() for p in weights), "values")\n'
    "return torch.optim.SGD(weights, lr=0.01)"
)
GOOD = BAD.replace("weights = model.parameters()", "weights = list(model.parameters())")
_ITERATORS = (GeneratorType, filter, map, zip)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the optimizer that was given nothing, with the likeliest reason."""
    failure = failure_like(evidence, "optimizer got an empty parameter list")
    if failure is None:
        return
    why, cure = _why(failure, evidence)
    yield RULE.finding(
        where="optimizer",
        message=f"The optimizer is given no Parameter at all: {why}.",
        cause=cure,
        line=last_line(failure),
    )


def _why(failure: Failure, evidence: Evidence) -> tuple[str, str]:
    # The whole model is the one that holds the most.
    root = max(failure.roots, key=lambda root: len(root.walk.module_paths), default=None)
    registered = [
        found.tensor
        for found in (root.walk.tensors if root is not None else ())
        if found.place is Place.PARAMETER
    ]
    if root is not None and not registered:
        return _nothing_registered(root)
    count = len({id(tensor) for tensor in registered})
    if registered and not any(tensor.requires_grad for tensor in registered):
        return (
            f"all {count} Parameters of the model are frozen, and it takes those that are not",
            "Leave the part that is to learn unfrozen: `.requires_grad_(True)` on the head.",
        )
    frame = last_frame(failure)
    used_up = _used_up(failure, frame) if frame is not None else None
    if used_up is not None:
        return used_up
    if not registered:
        return "the list is empty", "Give it model.parameters()."
    return (
        f"the model has {count} Parameters, and what it is given picks none of them",
        "Look at the condition that chooses them; names are those of model.named_parameters().",
    )


def _used_up(failure: Failure, frame: FailedFrame) -> tuple[str, str] | None:
    """Explain an iterator that was read to its end before the optimizer could."""
    call = statement_at(failure.source, frame.span)
    for node in ast.walk(call) if call is not None else ():
        value = resolve(node, frame)
        if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(value, _ITERATORS):
            continue
        line = _line_of_use(node, frame, failure)
        # The optimizer has read it as well, so that it is at its end says nothing by itself.
        if line is None and not _is_of_library(value):
            continue
        name = ast.unparse(node)
        by = f" by line {line}" if line is not None else ""
        return (
            f"`{name}` is an iterator, and it was read to its end already{by}",
            f"Make it a list: `{name} = list(...)`, or call model.parameters() anew.",
        )
    return None


def _is_of_library(value: object) -> bool:
    """Tell whether it is what ``parameters()`` returns, which leaves nothing out."""
    return isinstance(value, GeneratorType) and value.gi_code.co_name == "parameters"


def _line_of_use(name: ast.expr, frame: FailedFrame, failure: Failure) -> int | None:
    """Return the first line that uses the name between its making and the optimizer."""
    wanted = ast.unparse(name)
    nodes = [
        node
        for node in ast.walk(tree_of(failure.source))
        if isinstance(node, ast.Name | ast.Attribute)
        and node.lineno < frame.span.line
        and ast.unparse(node) == wanted
    ]
    made = max((n.lineno for n in nodes if isinstance(n.ctx, ast.Store)), default=0)
    uses = [n.lineno for n in nodes if isinstance(n.ctx, ast.Load)]
    return min((line for line in uses if line >= made), default=None)


def _nothing_registered(root: Root) -> tuple[str, str]:
    walk = root.walk
    hidden = [h.attribute for h in walk.hidden] + [
        f.attribute for f in walk.tensors if f.place in (Place.CONTAINER, Place.FOREIGN)
    ]
    misspelt = next(filter(None, map(_misspelt, walk.modules.values())), None)
    if misspelt is not None:
        return (
            f"`{misspelt[0]}` has a method `{misspelt[1]}`, which nobody calls, where its "
            f"`{misspelt[2]}` should be, so nothing is ever made",
            f"Rename it to `{misspelt[2]}`.",
        )
    if hidden:
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(hidden))
        return (
            f"{names} holds the layers where the model cannot see them",
            "Use nn.ModuleList([...]), nn.ModuleDict({...}) or nn.ParameterList([...]).",
        )
    plain = [f.path for f in walk.tensors if f.place is Place.ATTRIBUTE and f.tensor.requires_grad]
    if plain:
        return (
            f"`{plain[0]}` is a plain tensor, which no Module registers",
            "Make it a Parameter: nn.Parameter(...).",
        )
    return (
        "the model has no Parameters",
        "A model without Parameters needs no optimizer: leave optimizer() out.",
    )


def _misspelt(module: Any) -> tuple[str, str, str] | None:
    """Return the class, the method and what the method was meant to be called."""
    for cls in type(module).__mro__:
        if cls.__module__.partition(".")[0] in ("torch", "gradcore", "builtins"):
            return None
        if "__init__" in vars(cls):
            continue
        for name, value in vars(cls).items():
            is_marked = name.startswith("_") or name.endswith("_")
            is_near = difflib.SequenceMatcher(None, name.lower(), "__init__").ratio() >= 0.76
            if isinstance(value, FunctionType) and is_marked and is_near:
                return cls.__name__, name, "__init__"
    return None


RULE = Rule(
    id="OPT04",
    severity=ERROR,
    title="Optimizer without Parameters",
    help=(
        "model.parameters() is an iterator: once it was read, by a count or by another optimizer, "
        "it is empty. It is empty as well where the layers stand in a plain list, where all of "
        "them are frozen and filtered out, and where __init__ is misspelled."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
