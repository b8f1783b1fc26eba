"""What each node and each wire shows, as plain values without Qt.

`Evidence` is all that is known at one moment: the graph, the live tensors, the shapes. The
scene asks it for the face of a node when the node is new or in view, and compares faces, so
that only what has changed is measured and painted again.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from paramscope.census.rows import Gradient, Kind, Stepping, TensorRow
from paramscope.code.graph import Argument, Graph, Node, NodeKind, PortRef, Wire

Shape = tuple[int | str, ...]

MAX_ROWS = 6
MAX_CODE_LINES = 14
MAX_CODE_COLUMNS = 56
# The bar of a gradient's norm spans these powers of ten.
LOWEST_POWER = -8.0
HIGHEST_POWER = 2.0

PROGRAM_TITLES: Mapping[NodeKind, str] = {
    NodeKind.DATA: "Data",
    NodeKind.MODEL: "Model",
    NodeKind.LOSS: "Loss",
    NodeKind.OPTIMIZER: "Optimizer",
}
TENSOR_KINDS: Mapping[NodeKind, Kind] = {
    NodeKind.PARAMETER: Kind.PARAMETER,
    NodeKind.BUFFER: Kind.BUFFER,
    NodeKind.TENSOR: Kind.TENSOR,
}
FORGOTTEN = frozenset({Kind.FORGOTTEN_TENSOR, Kind.FORGOTTEN_PARAMETER, Kind.FORGOTTEN_MODULE})
TROUBLED = frozenset(
    {
        Gradient.UNUSED,
        Gradient.DETACHED,
        Gradient.ZERO,
        Gradient.VANISHING,
        Gradient.EXPLODING,
        Gradient.NON_FINITE,
        Gradient.STALE,
    }
)
QUIET_STEPPING = frozenset({Stepping.IN_OPTIMIZER, Stepping.NOT_APPLICABLE})


@dataclass(frozen=True, slots=True)
class TensorFace:
    """One tensor as a row of its node; ``level`` is the gradient's bar from 0 to 1, None = absent.

    ``row`` is what the worker said of it, None before anything has run.
    """

    name: str
    kind: Kind
    shape: Shape | None = None
    level: float | None = None
    row: TensorRow | None = None

    @property
    def is_troubled(self) -> bool:
        """Whether the state's word is said beside the name."""
        return self.row is not None and (
            self.row.kind in FORGOTTEN
            or self.row.gradient in TROUBLED
            or self.row.stepping not in QUIET_STEPPING
        )


class Badge(NamedTuple):
    """The worst problem of a node: how bad it is, which rule found it, and where."""

    severity: str
    rule: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class NodeFace:
    """All that is written on one node."""

    title: str
    name: str
    family: str
    caption: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    rows: tuple[TensorFace, ...] = ()
    more: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    open_inputs: frozenset[int] = frozenset()
    code: tuple[str, ...] = ()
    badge: "Badge | None" = None
    can_enter: bool = False

    @property
    def problem(self) -> str:
        """What is wrong with the node, in words; empty if nothing is."""
        return "" if self.badge is None else self.badge.message


@dataclass(frozen=True, slots=True)
class WireFace:
    """How one wire looks; ``weight`` is its size class from 0 to 3."""

    kind: Kind | None = None
    text: str = ""
    tooltip: str = ""
    flows: bool = True
    weight: int = 0
    gradient: float | None = None


@dataclass(frozen=True, slots=True)
class Traced:
    """What came out of one node in the last traced step."""

    shape: tuple[int, ...]
    requires_grad: bool
    gradient_norm: float | None = None


@dataclass(slots=True)
class Evidence:
    """What is known of the graph on the canvas at one moment.

    ``instance`` is the dotted path of the model's Module whose forward is shown. ``owned``
    holds, by dotted path of a Module, the paths of the tensors in it.
    """

    graph: Graph
    instance: str = ""
    rows: Mapping[str, TensorRow] = field(default_factory=dict)
    owned: Mapping[str, Sequence[str]] = field(default_factory=dict)
    traced: Mapping[PortRef, Traced] = field(default_factory=dict)
    shapes: Mapping[PortRef, Shape] = field(default_factory=dict)
    problems: Mapping[str, "Badge"] = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)
    planned: Mapping[str, Sequence[tuple[str, NodeKind, Shape]]] = field(default_factory=dict)
    facts: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    batch: int | None = None
    wired: frozenset[PortRef] = frozenset()

    def shape(self, port: PortRef) -> Shape | None:
        """Return the shape of what leaves ``port``, with N for the batch."""
        traced = self.traced.get(port)
        if traced is None:
            return self.shapes.get(port)
        return named_shape(traced.shape, self.batch)

    def path_of(self, node: Node) -> str | None:
        """Return the dotted path in the model of what the node holds."""
        if node.path is None:
            return None
        return f"{self.instance}.{node.path}" if self.instance else node.path


def named_shape(shape: tuple[int, ...], batch: int | None) -> Shape:
    """Return the shape with N in place of the batch.

    >>> named_shape((64, 8), 64)
    ('N', 8)
    """
    if batch is not None and len(shape) > 1 and shape[0] == batch:
        return ("N", *shape[1:])
    return shape


def shape_text(shape: Shape | None) -> str:
    """Return a shape as it is written everywhere: ``N × 64``; a single number is a scalar.

    >>> shape_text(("N", 64)), shape_text(()), shape_text(None)
    ('N × 64', 'scalar', '')
    """
    if shape is None:
        return ""
    if not shape:
        return "scalar"
    return " × ".join(f"{size:,}" if isinstance(size, int) else size for size in shape)


def gradient_level(norm: float | None) -> float | None:
    """Return where a norm lies on the logarithmic bar, from 0 to 1; None where there is none.

    >>> gradient_level(1e-8), gradient_level(100.0), gradient_level(None)
    (0.0, 1.0, None)
    """
    if norm is None:
        return None
    if not math.isfinite(norm):
        return 1.0
    if norm <= 0.0:
        return 0.0
    level = (math.log10(norm) - LOWEST_POWER) / (HIGHEST_POWER - LOWEST_POWER)
    # Steps of 1/64: what no eye can tell apart is not painted again.
    return round(min(1.0, max(0.0, level)) * 64) / 64


def node_face(node: Node, evidence: Evidence) -> NodeFace:
    """Return what is written on ``node``."""
    rows, more = _rows(node, evidence)
    outputs = [
        shape_text(evidence.shape(PortRef(node.id, index))) for index in range(len(node.outputs))
    ]
    if len(outputs) > 1:
        outputs = [
            f"{port.name}  {text}".strip() for port, text in zip(node.outputs, outputs, strict=True)
        ]
    facts = tuple(evidence.facts.get(node.id, ()))
    if node.kind in TENSOR_KINDS:
        outputs = [""]  # its row has the shape already
    open_inputs = frozenset(
        index
        for index, port in enumerate(node.inputs)
        if port.required and PortRef(node.id, index) not in evidence.wired
    )
    return NodeFace(
        title=_title(node),
        name=_name(node),
        family=_family(node, evidence),
        caption=_caption(node, frozenset(name for name, _ in facts)),
        facts=facts,
        rows=rows,
        more=more,
        inputs=tuple(port.name for port in node.inputs),
        outputs=tuple(outputs),
        open_inputs=open_inputs if node.kind is not NodeKind.CODE else frozenset(),
        code=_code(node),
        badge=evidence.problems.get(node.id),
        can_enter=node.scope is not None,
    )


def wire_face(wire: Wire, source: Node, evidence: Evidence) -> WireFace:
    """Return how ``wire`` looks: the kind of what flows, its shape, its size class."""
    traced = evidence.traced.get(wire.source)
    shape = evidence.shape(wire.source)
    kind = TENSOR_KINDS.get(source.kind)
    path = evidence.path_of(source)
    row = evidence.rows.get(path) if kind is not None and path else None
    flows = True
    gradient = None
    if traced is not None:
        flows, gradient = traced.requires_grad, traced.gradient_norm
    if row is not None:
        kind, flows = row.kind, row.requires_grad or row.kind is Kind.PARAMETER
        shape = row.shape
        if row.gradient_statistics is not None:
            gradient = row.gradient_statistics.norm
    exact = traced.shape if traced is not None else None
    words = shape_text(exact if exact is not None else shape)
    if words and not flows:
        words += ", no gradient flows here"
    return WireFace(kind, shape_text(shape), words, flows, _weight(exact or shape), gradient)


def _weight(shape: Shape | None) -> int:
    if not shape:
        return 0
    count = math.prod(size for size in shape if isinstance(size, int))
    return 0 if count < 64 else 1 if count < 4096 else 2 if count < 262_144 else 3


def _title(node: Node) -> str:
    if node.kind in PROGRAM_TITLES:
        return PROGRAM_TITLES[node.kind]
    if node.kind in (NodeKind.INPUT, NodeKind.OUTPUT, *TENSOR_KINDS):
        return node.name or node.title
    return node.title or node.name


def _name(node: Node) -> str:
    if node.kind in PROGRAM_TITLES:
        return "" if node.title == PROGRAM_TITLES[node.kind] else node.title
    if node.kind in (NodeKind.INPUT, NodeKind.OUTPUT):
        return "" if _title(node) == node.kind.value else node.kind.value
    if node.kind in TENSOR_KINDS:
        return ""
    name = node.path or node.name
    return "" if name == node.title else name


def _family(node: Node, evidence: Evidence) -> str:
    named = {
        NodeKind.INPUT: "data",
        NodeKind.OUTPUT: "data",
        NodeKind.DATA: "data",
        NodeKind.MODEL: "linear",
        NodeKind.LOSS: "loss",
        NodeKind.OPTIMIZER: "optimizer",
        NodeKind.CODE: "code",
        NodeKind.PARAMETER: "tensor",
        NodeKind.BUFFER: "tensor",
        NodeKind.TENSOR: "tensor",
    }
    if node.kind in named:
        return named[node.kind]
    if node.scope is not None:
        return "container"
    return evidence.families.get(node.title, "")


def _caption(node: Node, said: frozenset[str]) -> str:
    """Return the written arguments in one line, but those said elsewhere: ``8 → 16 · p 0.5``."""
    written = {
        argument.name: argument
        for argument in node.arguments
        if argument.name not in said and (argument.span is not None or argument.default is None)
    }
    parts: list[str] = []
    for name in list(written):
        base = name.removeprefix("in_")
        if name.startswith("in_") and f"out_{base}" in written and name in written:
            left, right = written.pop(name), written.pop(f"out_{base}")
            parts.append(f"{left.text} → {right.text}")
    parts.extend(_argument_text(argument) for argument in written.values())
    return " · ".join(parts)


def _argument_text(argument: Argument) -> str:
    text = " ".join(argument.text.split())
    is_said = argument.name == text or not argument.name.isidentifier()
    return text if is_said else f"{argument.name} {text}"


def _code(node: Node) -> tuple[str, ...]:
    if node.kind is not NodeKind.CODE:
        return ()
    # The text begins at its first word: what stands before it in the line is put back.
    indent = " " * node.span.column if node.span is not None else ""
    lines = textwrap.dedent((indent + node.text).expandtabs(4)).strip("\n").splitlines()
    shown = [
        line if len(line) <= MAX_CODE_COLUMNS else line[: MAX_CODE_COLUMNS - 1] + "…"
        for line in lines[:MAX_CODE_LINES]
    ]
    if len(lines) > MAX_CODE_LINES:
        shown.append(f"… {len(lines) - MAX_CODE_LINES} more lines")
    return tuple(shown)


def _rows(node: Node, evidence: Evidence) -> tuple[tuple[TensorFace, ...], str]:
    path = evidence.path_of(node)
    if node.kind in TENSOR_KINDS:
        row = evidence.rows.get(path) if path else None
        if row is not None:
            return (_live_row("", row),), ""
        shape = evidence.shapes.get(PortRef(node.id, 0))
        return (TensorFace("", TENSOR_KINDS[node.kind], shape),), ""
    if path is None or node.kind is not NodeKind.MODULE:
        return (), ""
    live = [evidence.rows[key] for key in evidence.owned.get(path, ()) if key in evidence.rows]
    if live:
        return _live_rows(path, live)
    planned = evidence.planned.get(node.id, ())
    faces = tuple(TensorFace(name, TENSOR_KINDS[kind], shape) for name, kind, shape in planned)
    if len(faces) > MAX_ROWS:
        return (), f"{len(faces):,} tensors"
    return faces, ""


def _live_rows(path: str, live: Sequence[TensorRow]) -> tuple[tuple[TensorFace, ...], str]:
    """A Module with many tensors shows its troubled ones, and counts the rest."""
    faces = [_live_row(row.path[len(path) + 1 :], row) for row in live]
    if len(faces) <= MAX_ROWS:
        return tuple(faces), ""
    troubled = [face for face in faces if face.is_troubled][: MAX_ROWS - 1]
    count = sum(face.row.count for face in faces if face.row is not None)
    rest = len(faces) - len(troubled)
    return tuple(troubled), f"{rest:,} tensors, {count:,} values"


def _live_row(name: str, row: TensorRow) -> TensorFace:
    statistics = row.gradient_statistics
    level = gradient_level(statistics.norm if statistics is not None else None)
    # The face keeps only what is drawn: numbers that change at each step would repaint it.
    drawn = TensorRow(
        path=row.path,
        kind=row.kind,
        shape=row.shape,
        dtype=row.dtype,
        requires_grad=row.requires_grad,
        gradient=row.gradient,
        stepping=row.stepping,
        tied_with=row.tied_with,
        shadowed=row.shadowed,
        note=row.note,
    )
    return TensorFace(name, row.kind, row.shape, level, drawn)
