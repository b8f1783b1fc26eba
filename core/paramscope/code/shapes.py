"""Shapes on wires before anything has run, and whether a wire can be, with the repair.

Shapes flow from what is known (a traced step, the data) through the contracts of Modules and
the rules of operations. What is not known stays open and refuses nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from paramscope.code.arithmetic import Unknown, value_of
from paramscope.code.catalog import modules
from paramscope.code.commands import Connect, ConnectThrough, SetArgument, Together
from paramscope.code.graph import Graph, Node, NodeKind, PortRef, Program, Wire
from paramscope.code.shape_rules import Misfit, Shape, Size, operation_shape, shape_text
from paramscope.document.document import Command

Shapes = Mapping[PortRef, Shape]
_NO_INPUTS = (NodeKind.INPUT, NodeKind.PARAMETER, NodeKind.BUFFER, NodeKind.TENSOR)
# Classes nested deeper than this are not looked through for the values of arguments.
_DEEPEST = 10


@dataclass(frozen=True, slots=True)
class Accepted:
    """The wire can be; ``shape`` is what goes through it, None if that is not known."""

    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The wire cannot be; each repair makes it possible and lays it."""

    reason: str
    repairs: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Unfit:
    """A node that cannot take what its wires bring: why, and what would mend it."""

    node: str
    reason: str
    repair: Command | None = None


def infer_shapes(
    program: Program, graph: str, known: Shapes, unfit: list[Unfit] | None = None
) -> dict[PortRef, Shape]:
    """Return the shapes of all outputs that follow from the known ones; those come first.

    Nodes that cannot take what they get are appended to ``unfit``.
    """
    canvas = program.graphs[graph]
    shapes = dict(known)
    names = argument_values(program, graph)
    sources = _sources(canvas.wires)
    # The parser's order: each node stands behind those it takes from, uncalled ones last.
    for node in canvas.nodes:
        if all(PortRef(node.id, port) in shapes for port in range(len(node.outputs))):
            continue
        try:
            found = _outputs(node, _inputs(node, sources.get(node.id, {}), shapes), names)
        except _Refusal as refusal:
            if unfit is not None:
                repair = _mended(graph, node, refusal)
                unfit.append(Unfit(node.id, refusal.reason, repair))
            continue
        for port, shape in enumerate(found[: len(node.outputs)]):
            if shape is not None:
                shapes.setdefault(PortRef(node.id, port), shape)
    return shapes


def check_connection(
    program: Program, graph: str, source: PortRef, target: PortRef, live_shapes: Shapes
) -> Accepted | Refused:
    """Tell whether an output can be wired to an input, with the reason and repairs if not.

    ``live_shapes`` are shapes of outputs of this graph, as far as they are known.
    """
    canvas = program.graphs.get(graph)
    nodes = {node.id: node for node in canvas.nodes} if canvas is not None else {}
    giver, taker = nodes.get(source.node), nodes.get(target.node)
    if canvas is None or giver is None or taker is None:
        return Refused("One of the nodes is gone.")
    reason = _plain_reason(graph, canvas, giver, taker, source, target)
    if reason is not None:
        return Refused(reason)
    shapes = infer_shapes(program, graph, live_shapes)
    given = shapes.get(source)
    if given is None:
        return Accepted()
    into = _sources(wire for wire in canvas.wires if wire.target.node == taker.id)
    inputs = _inputs(taker, into.get(taker.id, {}), shapes)
    inputs[target.port] = given
    batch = _batch_size(canvas, live_shapes)
    try:
        _outputs(taker, inputs, argument_values(program, graph), batch)
    except _Refusal as refusal:
        connect = Connect(graph, source, target)
        repairs = list(_repairs(graph, taker, connect, given, refusal))
        return Refused(refusal.reason, tuple(repairs))
    return Accepted(given)


def argument_values(program: Program, graph: str, depth: int = 0) -> dict[str, object]:
    """What the constructor arguments of a class are where the document makes it.

    A class that is made in several ways has only the values that are the same in all.
    """
    name = graph.partition(".")[0]
    values: dict[str, object] = {}
    clashes: set[str] = set()
    if not name or depth > _DEEPEST:
        return values
    for other, canvas in program.graphs.items():
        for node in canvas.nodes:
            if node.scope != name or other.partition(".")[0] == name:
                continue
            outer = argument_values(program, other, depth + 1)
            for argument, value in _arguments(node, outer).items():
                if argument in values and values[argument] != value:
                    clashes.add(argument)
                values[argument] = value
    return {key: value for key, value in values.items() if key not in clashes}


class _Refusal(Exception):  # noqa: N818  (an answer, not a fault)
    def __init__(self, reason: str, repair: Mapping[str, object] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.repair = repair or {}


def _plain_reason(
    graph: str, canvas: Graph, giver: Node, taker: Node, source: PortRef, target: PortRef
) -> str | None:
    """What speaks against a wire whatever the shapes are."""
    if not graph:
        return "What the program's parts take is written in their code; edit it there."
    if source.port >= len(giver.outputs):
        return f"`{giver.id}` has no output there."
    if target.port >= len(taker.inputs):
        return f"`{taker.id}` has no input there."
    if _reaches(canvas, taker.id, giver.id):
        return f"`{giver.id}` is computed from `{taker.id}`: the wire would close a circle."
    return None


def _reaches(canvas: Graph, start: str, end: str) -> bool:
    following: dict[str, list[str]] = {}
    for wire in canvas.wires:
        following.setdefault(wire.source.node, []).append(wire.target.node)
    seen: set[str] = set()
    stack = [start]
    while stack:
        node = stack.pop()
        if node == end:
            return True
        if node not in seen:
            seen.add(node)
            stack += following.get(node, [])
    return False


def _sources(wires: Iterable[Wire]) -> dict[str, dict[int, PortRef]]:
    """What feeds each input, by node and port."""
    sources: dict[str, dict[int, PortRef]] = {}
    for wire in wires:
        sources.setdefault(wire.target.node, {})[wire.target.port] = wire.source
    return sources


def _inputs(node: Node, sources: Mapping[int, PortRef], shapes: Shapes) -> list[Shape | None]:
    return [
        shapes.get(sources[port]) if port in sources else None for port in range(len(node.inputs))
    ]


def _arguments(node: Node, names: Mapping[str, object]) -> dict[str, object]:
    values: dict[str, object] = {}
    for argument in node.arguments:
        try:
            values[argument.name] = value_of(argument.text, names)
        except Unknown:
            continue
    return values


def _outputs(
    node: Node,
    inputs: Sequence[Shape | None],
    names: Mapping[str, object],
    batch: int | None = None,
) -> list[Shape | None]:
    """Shapes of a node's outputs; raises `_Refusal` where its inputs do not fit."""
    if node.kind in _NO_INPUTS:
        return []
    if node.kind is NodeKind.MODULE:
        return _module_outputs(node, inputs, names, batch)
    if node.kind is not NodeKind.OPERATION:
        return []
    if any(shape is None for shape in inputs):
        return []
    name = node.id.partition("#")[0]
    arguments = _arguments(node, names)
    shapes = [shape for shape in inputs if shape is not None]
    try:
        shape = operation_shape(name, shapes, arguments)
    except Misfit as misfit:
        raise _Refusal(str(misfit)) from None
    return [shape]


def _module_outputs(
    node: Node, inputs: Sequence[Shape | None], names: Mapping[str, object], batch: int | None
) -> list[Shape | None]:
    entry = modules().get(node.title) if node.scope is None else None
    if entry is None or entry.shape is None or not inputs or inputs[0] is None:
        return []
    given: list[Shape] = []
    for shape in inputs:
        if shape is None:
            break
        given.append(_named(shape, batch))
    known: dict[str, object] = {}
    values = _arguments(node, names)
    for argument in node.arguments:
        # What is not known stands under its own text and fits everywhere.
        known[argument.name] = values.get(argument.name, argument.text)
    try:
        found = entry.infer(known, *given)
    except RuntimeError as error:
        fields: Mapping[str, Any] = getattr(error, "fields", {})
        reason = fields.get("reason") or str(error).partition("\n")[0]
        raise _Refusal(reason, fields.get("repair")) from None
    except (TypeError, ValueError, KeyError, ZeroDivisionError, IndexError, AttributeError):
        return []  # arithmetic on a size that is not known
    if found is None:
        return []
    several = found if found and isinstance(found[0], tuple) else (found,)
    return [_unnamed(tuple(shape), batch) for shape in several]


def _batch_size(canvas: Graph, live_shapes: Shapes) -> int | None:
    """The first axis of what the graph is given, to be shown as N."""
    for node in canvas.nodes:
        if node.kind is NodeKind.INPUT:
            shape = live_shapes.get(PortRef(node.id, 0))
            if shape and isinstance(shape[0], int) and len(shape) > 1:
                return shape[0]
    return None


def _named(shape: Shape, batch: int | None) -> Shape:
    return ("N", *shape[1:]) if shape and batch is not None and shape[0] == batch else shape


def _unnamed(shape: Shape, batch: int | None) -> Shape:
    sizes: list[Size] = [batch if size == "N" and batch is not None else size for size in shape]
    return tuple(sizes)


def _mended(graph: str, node: Node, refusal: _Refusal) -> Command | None:
    """The command that gives a node the sizes that what it gets asks for."""
    changes = {name: value for name, value in refusal.repair.items() if isinstance(value, int)}
    written = {argument.name for argument in node.arguments}
    if not changes or not changes.keys() <= written:
        return None
    texts = ", ".join(f"{name}={value}" for name, value in changes.items())
    commands = [SetArgument(graph, node.id, name, str(value)) for name, value in changes.items()]
    return Together(f"Set {texts}", tuple(commands))


def _repairs(
    graph: str, taker: Node, connect: Connect, given: Shape, refusal: _Refusal
) -> Iterator[Command]:
    """Commands that make the wire possible, the smallest change first."""
    wanted = [argument for argument in taker.arguments if argument.name == "in_features"]
    rest = given[1:]
    if wanted and len(rest) > 1 and all(isinstance(size, int) for size in rest):
        flat = prod(size for size in rest if isinstance(size, int))
        through = ConnectThrough(graph, connect.source, connect.target, "nn.Flatten()")
        if wanted[0].text == str(flat):
            yield Together("Insert Flatten", (through,))
        else:
            size = SetArgument(graph, taker.id, "in_features", str(flat))
            yield Together(f"Insert Flatten and set in_features={flat}", (size, through))
    changes = {name: value for name, value in refusal.repair.items() if isinstance(value, int)}
    if changes:
        texts = ", ".join(f"{name}={value}" for name, value in changes.items())
        commands = [
            SetArgument(graph, taker.id, name, str(value)) for name, value in changes.items()
        ]
        yield Together(f"Set {texts}", (*commands, connect))


__all__ = [
    "Accepted",
    "Refused",
    "Shape",
    "Unfit",
    "argument_values",
    "check_connection",
    "infer_shapes",
    "shape_text",
]
