"""The graph of a document as plain values: nodes, ports and wires with their source spans.

`paramscope.code.parse` makes it from the source; the canvas draws it; the tracer's records
meet it by source position (`Span`), so that live shapes and gradients land on wires.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Span(NamedTuple):
    """A stretch of source: lines count from 1, columns are UTF-8 bytes from 0.

    These are the counts of `ast` and of ``code.co_positions()``, so spans of a parsed file
    and of a running frame compare equal.
    """

    line: int
    column: int
    end_line: int
    end_column: int


class NodeKind(StrEnum):
    """What a node stands for; the canvas draws each kind in its own way."""

    INPUT = "input"  # a parameter of forward
    OUTPUT = "output"  # what forward returns
    MODULE = "module"  # a call of a member Module, or a member that is never called
    OPERATION = "operation"  # a function, a method or an operator
    PARAMETER = "parameter"  # a read of a member that __init__ makes a Parameter
    BUFFER = "buffer"  # a read of a member that register_buffer makes
    TENSOR = "tensor"  # a read of a plain tensor member
    CODE = "code"  # source that cannot be drawn: its text, what it reads and what it writes
    DATA = "data"  # on the program's canvas: batch()
    MODEL = "model"  # build()
    LOSS = "loss"  # loss(model, x, y)
    OPTIMIZER = "optimizer"  # optimizer(model)


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output of a node. A required input without a wire is a hole (``...``)."""

    name: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a node's constructor or call that is no wire, as written in the source.

    ``span`` is None where the source leaves the argument at its ``default``.
    """

    name: str
    text: str
    span: Span | None = None
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a graph.

    ``id`` is unique in its graph and stable under edits elsewhere: the attribute's name, or the
    variable or operation with an ordinal (``relu#2``). ``path`` is the dotted attribute that
    holds the node's Module or tensor, relative to the class (``encoder.0``), else None.
    ``span`` is the expression that runs (the call), ``definition`` the statement of
    ``__init__`` that makes the member; either may be missing.
    """

    id: str
    kind: NodeKind
    title: str
    name: str
    path: str | None = None
    span: Span | None = None
    definition: Span | None = None
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    arguments: tuple[Argument, ...] = ()
    text: str = ""
    scope: str | None = None  # the graph to enter by double-click: a class of this document


class PortRef(NamedTuple):
    """One port of one node: the node's id and the port's number among inputs or outputs."""

    node: str
    port: int


@dataclass(frozen=True, slots=True)
class Wire:
    """A value that goes from an output to an input; ``span`` is where the target reads it."""

    source: PortRef
    target: PortRef
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """One canvas: the program (``name == ""``) or the forward of one class."""

    name: str
    nodes: tuple[Node, ...] = ()
    wires: tuple[Wire, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class SourceProblem:
    """A place where the source cannot be read or cannot run as it stands (a hole, say)."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Program:
    """Every graph of a document. ``graphs[""]`` is the program: data, model, loss, optimizer.

    ``graphs["Net"]`` is the forward of class ``Net``, ``graphs["Net.encode"]`` a method that
    its forward calls, ``graphs["Net.layers"]`` an ``nn.Sequential`` of its, ``build.model`` one
    that ``build()`` returns. ``model`` is the class that ``build()`` makes, so that the canvas
    knows where to start.
    """

    graphs: Mapping[str, Graph]
    model: str | None = None
    problems: tuple[SourceProblem, ...] = ()
