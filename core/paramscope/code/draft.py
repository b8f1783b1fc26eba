"""Nodes and values in the making: what the wiring draws before ids are given."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from paramscope.code.graph import Argument, NodeKind, Span
from paramscope.code.members import Member
from paramscope.code.text_edit import span_of


class Hole:
    """The value of ``...`` where a wire belongs."""


HOLE = Hole()


@dataclass(eq=False, slots=True)
class Draft:
    """A node in the making; the wiring is finished into `graph.Node`s by the parser."""

    kind: NodeKind
    title: str
    base: str  # what the id is made of
    name: str = ""
    path: str | None = None
    syntax: ast.expr | ast.stmt | ast.arg | None = None
    statement: ast.stmt | None = None  # the statement of the body that it stands in
    member: Member | None = None
    scope: str | None = None
    text: str = ""
    inputs: list["Input"] = field(default_factory=list)
    outputs: list[str] = field(default_factory=lambda: ["output"])
    arguments: list[Argument] = field(default_factory=list)
    targets: list[ast.expr] = field(default_factory=list)  # what the outputs are assigned to
    call: ast.Call | None = None  # the constructor behind a node of the program
    id: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One output of a node in the making."""

    node: Draft
    port: int = 0


Value = Source | Hole | None


@dataclass(slots=True)
class Input:
    """One input of a node in the making: what it is called, what it gets, where it reads it."""

    name: str
    value: Value
    reads: tuple[ast.expr, ...] = ()
    required: bool = True


def span_of_draft(node: Draft) -> Span | None:
    """Where the node's expression stands, as a running frame reports it."""
    syntax = node.syntax
    if syntax is None:
        return None
    if isinstance(syntax, ast.Call) and isinstance(syntax.func, ast.Attribute):
        function = syntax.func
        if function.end_lineno is not None and function.lineno != function.end_lineno:
            # CPython places a method call that spans lines at the method's name.
            end = function.end_col_offset or 0
            return Span(
                function.end_lineno,
                end - len(function.attr.encode()),
                syntax.end_lineno or syntax.lineno,
                syntax.end_col_offset or 0,
            )
    return span_of(syntax)


def in_order(inputs: list[Input], names: Sequence[str]) -> None:
    """Sort inputs as the signature has them; what it does not name stays behind, in order."""
    places = {name: place for place, name in enumerate(names)}
    inputs.sort(key=lambda item: places.get(item.name.split("[")[0], len(places)))
