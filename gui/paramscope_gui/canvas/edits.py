"""Commands in the canvas's words: what a gesture means for the document.

The commands themselves are core's; here it is decided which of them a wire, a dropped text or
a key stands for.
"""

import ast
from collections.abc import Sequence

from PySide6.QtCore import QPointF

from paramscope.code.catalog import modules
from paramscope.code.commands import (
    AddModule,
    AddOperation,
    AddTensor,
    Connect,
    Delete,
    Disconnect,
    Freeze,
    InsertOnWire,
    Register,
    Rename,
    ReplaceText,
    SetArgument,
    Unfreeze,
    Unregister,
)
from paramscope.code.commands.freeze import is_frozen
from paramscope.code.graph import Node, NodeKind, PortRef, Wire
from paramscope.code.shapes import Refused, check_connection
from paramscope.code.text_edit import SourceText
from paramscope.document.document import Command, Point
from paramscope_gui.canvas.desk import Desk

_FACTORIES = frozenset(
    {
        "arange",
        "empty",
        "eye",
        "full",
        "linspace",
        "ones",
        "rand",
        "randint",
        "randn",
        "tensor",
        "zeros",
    }
)
_TENSOR_KINDS = (NodeKind.PARAMETER, NodeKind.BUFFER, NodeKind.TENSOR)


def connect(
    graph: str, source: PortRef, target: PortRef, moved_from: Wire | None = None
) -> Command:
    """Join two ports; a wire that was taken by its end leaves its old input open."""
    return Connect(graph, source, target, None if moved_from is None else moved_from.target)


def disconnect(graph: str, wire: Wire) -> Command:
    """Take a wire away."""
    return Disconnect(graph, wire.target)


def delete(graph: str, nodes: Sequence[str], reconnect: bool) -> Command:
    """Delete nodes."""
    return Delete(graph, tuple(nodes), reconnect)


def rename(graph: str, node: str, name: str) -> Command:
    """Rename a node."""
    return Rename(graph, node, name)


def set_argument(graph: str, node: str, argument: str, text: str) -> Command:
    """Write an argument; an empty text goes back to the default."""
    return SetArgument(graph, node, argument, text or None)


def toggle_register(graph: str, node: Node) -> Command:
    """Make a plain tensor or a buffer a Parameter, and a Parameter a plain tensor."""
    owner = graph.partition(".")[0]
    attribute = node.path or node.name
    if node.kind is NodeKind.TENSOR:
        return Register(owner, attribute)
    return Unregister(owner, attribute)


def toggle_freeze(source: str, graph: str, path: str) -> Command:
    """Freeze a Module or a Parameter, or let it train again."""
    return Unfreeze(graph, path) if is_frozen(source, graph, path) else Freeze(graph, path)


def refusal(desk: Desk, source: PortRef, target: PortRef) -> tuple[str, Command | None] | None:
    """Return why two ports cannot be joined and what would mend it, or None if they can."""
    evidence = desk.presenter.gatherer.evidence
    shapes = {**evidence.shapes, **{port: item.shape for port, item in evidence.traced.items()}}
    verdict = check_connection(desk.workspace.program, desk.graph.name, source, target, shapes)
    if not isinstance(verdict, Refused):
        return None
    return verdict.reason, next(iter(verdict.repairs), None)


def add_expression(
    desk: Desk, text: str, place: QPointF | None, source: PortRef | None = None
) -> Command:
    """Return the command that adds what a Python expression stands for.

    ``self.name = nn.Linear(2, 3)`` keeps its name; a class is added to the source.
    """
    graph = desk.graph.name
    point = None if place is None else Point(round(place.x() / 8) * 8.0, round(place.y() / 8) * 8.0)
    expression, name = _named(text)
    made = _made_by(expression)
    if made.startswith("class "):
        return _added_class(desk, expression)
    # The program's own graph has no name, as has an expression that calls nothing.
    if made and (made in modules() or made in desk.workspace.program.graphs):
        return AddModule(graph, expression, _free(desk, name), point, source)
    tensor = _tensor(expression, made, name)
    if tensor is not None:
        kind, wanted, value = tensor
        return AddTensor(graph, kind, _free(desk, wanted) or wanted, value, point)
    return AddOperation(graph, expression, point, source)


def is_tensor(text: str) -> bool:
    """Whether an expression makes a tensor: such a node has no input to be wired."""
    expression, name = _named(text)
    return _tensor(expression, _made_by(expression), name) is not None


def insert_expression(graph: str, wire: Wire, text: str) -> Command:
    """Put a new node into a wire."""
    expression, _ = _named(text)
    return InsertOnWire(graph, wire, expression)


def expression_of(desk: Desk, identifier: str) -> str | None:
    """Return the Python that makes a node like this one, or None where there is none."""
    node = desk.scene.nodes_by_id.get(identifier)
    if node is None:
        return None
    source = SourceText(desk.workspace.document.source)
    if node.kind in (NodeKind.MODULE, *_TENSOR_KINDS):
        if node.definition is not None and node.path is not None and "." not in node.path:
            start, end = source.range(node.definition)
            return source.source[start:end]
        written = [argument.text for argument in node.arguments if argument.span is not None]
        return f"nn.{node.title}({', '.join(written)})"
    if node.kind is NodeKind.OPERATION and node.span is not None:
        return _with_holes(desk, node, source)
    return None


def expressions_in(text: str) -> list[str]:
    """Return the expressions of pasted Python, each as it is written.

    >>> expressions_in("nn.Linear(2, 3)\\nself.act = nn.ReLU()")
    ['nn.Linear(2, 3)', 'self.act = nn.ReLU()']
    """
    try:
        body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError):
        return []
    pieces = []
    for statement in body:
        if isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign | ast.ClassDef):
            piece = ast.get_source_segment(text.strip(), statement)
            if piece is not None:
                pieces.append(piece)
    return pieces


def _with_holes(desk: Desk, node: Node, source: SourceText) -> str | None:
    """The call of an operation with ``...`` where its wires come in."""
    assert node.span is not None
    start, end = source.range(node.span)
    text = source.source[start:end]
    reads = [
        source.range(wire.span)
        for wire in desk.scene.wires_of(node.id)
        if wire.target.node == node.id and wire.span is not None
    ]
    for first, last in sorted(reads, reverse=True):
        if start <= first and last <= end:
            text = f"{text[: first - start]}...{text[last - start :]}"
    return text


def _named(text: str) -> tuple[str, str | None]:
    """The expression of ``name = expression``, and the name's last part."""
    text = text.strip()
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return text, None
    statement = body[0] if len(body) == 1 else None
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", None)
        return ast.get_source_segment(text, statement.value) or text, name
    return text, None


def _made_by(expression: str) -> str:
    """The last name of what is called: ``Linear`` of ``nn.Linear(2, 3)``."""
    try:
        body = ast.parse(expression).body
    except (SyntaxError, ValueError):
        return ""
    statement = body[0] if len(body) == 1 else None
    if isinstance(statement, ast.ClassDef):
        return f"class {statement.name}"
    value = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(value, ast.Call):
        return ""
    function = value.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _tensor(expression: str, made: str, name: str | None) -> tuple[NodeKind, str, str] | None:
    """What a tensor's expression adds: its kind, its name, its value."""
    if made in ("Parameter", "register_buffer", "register_parameter", *_FACTORIES):
        statement = ast.parse(expression).body[0]
        assert isinstance(statement, ast.Expr)
        call = statement.value
        assert isinstance(call, ast.Call)
        values = [ast.get_source_segment(expression, value) or "" for value in call.args]
        if made == "Parameter" and values:
            return NodeKind.PARAMETER, name or "weight", values[0]
        if made == "register_buffer" and len(values) > 1:
            return NodeKind.BUFFER, values[0].strip("\"'"), values[1]
        if made in _FACTORIES:
            return NodeKind.TENSOR, name or "tensor", expression
    return None


def _added_class(desk: Desk, text: str) -> Command:
    source = desk.workspace.document.source
    return ReplaceText(f"{source.rstrip()}\n\n\n{text.rstrip()}\n", "Paste a class")


def _free(desk: Desk, name: str | None) -> str | None:
    """The name, with a number behind it if the graph has it already."""
    if name is None:
        return None
    taken = {node.path for node in desk.graph.nodes} | {node.id for node in desk.graph.nodes}
    number, free = 2, name
    while free in taken:
        free = f"{name}{number}"
        number += 1
    return free
