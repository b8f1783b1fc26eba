"""Gathers what is known of the graph shown: the run's tensors and traces, met by place.

The presenter keeps one `Gatherer`. Structure (which tensor belongs to which node) is worked out
when it changes; what is read at each snapshot is looked up for the nodes in view only.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from paramscope.census.rows import Kind, TensorRow
from paramscope.code.arithmetic import Unknown, value_of
from paramscope.code.catalog import modules
from paramscope.code.graph import Graph, NodeKind, PortRef, Program, Span
from paramscope.code.misfits import model_inputs
from paramscope.code.operations import OPERATIONS
from paramscope.code.planned_tensors import Planned, planned_tensors
from paramscope.code.shapes import Unfit, argument_values, infer_shapes
from paramscope.engine.protocol import OperationRecord
from paramscope.rules.finding import Finding
from paramscope_gui.bridge.selection import PARTS
from paramscope_gui.canvas.faces import Badge, Evidence, Shape, Traced, named_shape

BAD_TO_MILD = "EWH"
SHAPE = "SHAPE"  # instead of a rule: what a node gets does not fit


class Gatherer:
    """Builds `Evidence` for one graph and keeps it up to date with the run."""

    def __init__(self) -> None:
        self.evidence = Evidence(Graph(name=""))
        self._by_span: dict[Span, list[PortRef]] = {}
        self._paths: tuple[str, ...] = ()
        self._holes: dict[str, Badge] = {}
        self._unfit: dict[str, Badge] = {}
        self._by_path: dict[str, list[str]] = {}

    def show(self, program: Program, graph: Graph, instance: str) -> None:
        """Begin anew with a graph, as the instance of the model at dotted path ``instance``."""
        self._by_span = {}
        for node in graph.nodes:
            if node.span is not None and len(node.outputs) == 1:
                self._by_span.setdefault(node.span, []).append(PortRef(node.id, 0))
        before = self.evidence
        self.evidence = Evidence(
            graph,
            instance,
            rows=before.rows,
            owned=before.owned,
            batch=before.batch,
            wired=frozenset(wire.target for wire in graph.wires),
            planned=_planned(program, graph),
            families={node.title: family_of(node.title) for node in graph.nodes},
        )
        self._holes = {
            node: Badge("W", "HOLE", "", said)
            for node, said in holes(program, graph, self.evidence.wired).items()
        }
        self.evidence.problems = self._holes
        self._by_path = {}
        for node in graph.nodes:
            path = self.evidence.path_of(node)
            if path is not None:
                self._by_path.setdefault(path, []).append(node.id)

    def infer(self, program: Program, source: str) -> None:
        """Work out the shapes of what has not been traced from what is known of the inputs."""
        evidence = self.evidence
        graph = evidence.graph
        self._unfit = {}
        if not graph.name or graph.name not in program.graphs:
            evidence.shapes = {}
            return
        known: dict[PortRef, Shape] = dict(guessed_inputs(program, graph))
        is_given = graph.name == program.model and not evidence.instance
        if is_given:
            known |= model_inputs(program, source)
        for port, traced in evidence.traced.items():
            known[port] = named_shape(traced.shape, evidence.batch)
        unfit: list[Unfit] = []
        evidence.shapes = infer_shapes(program, graph.name, known, unfit)
        # A step that was traced tells more than any inference.
        surely = unfit if is_given and not evidence.traced else []
        self._unfit = {item.node: Badge("W", SHAPE, item.node, item.reason) for item in surely}

    def take_rows(self, rows: Mapping[str, TensorRow]) -> None:
        """Use the run's tensors; the owners are worked out anew only if the paths differ."""
        evidence = self.evidence
        evidence.rows = rows
        paths = tuple(rows)
        if paths != self._paths:
            self._paths = paths
            evidence.owned = owners(paths)

    def take_operations(self, operations: Sequence[OperationRecord]) -> None:
        """Meet the traced operations with the nodes by their place in the source."""
        evidence = self.evidence
        evidence.batch = batch_size(operations)
        traced: dict[PortRef, Traced] = {}
        for record in operations:
            if record.module is not None and record.module != evidence.instance:
                continue
            for port in self._by_span.get(record.span, ()):
                # A Module of the library has a record for each operation inside: the last counts.
                traced[port] = Traced(record.shape, record.requires_grad, record.gradient_norm)
        self._carry_over(traced)
        evidence.traced = traced

    def take_findings(self, findings: Iterable[Finding]) -> None:
        """Mark the nodes that the verdicts are about."""
        problems: dict[str, Badge] = {}
        for finding in sorted(findings, key=lambda one: BAD_TO_MILD.find(one.severity)):
            badge = Badge(finding.severity, finding.rule, finding.where, finding.message)
            for node in self._nodes_of(finding.where):
                problems.setdefault(node, badge)
        self.evidence.problems = {**self._holes, **self._unfit, **problems}

    def _nodes_of(self, where: str) -> Iterable[str]:
        """Return the nodes of the graph that a verdict's place lies in or is."""
        graph = self.evidence.graph
        if not graph.name:
            kind = PARTS.get(where, NodeKind.MODEL)
            yield from (node.id for node in graph.nodes if node.kind is kind)
            return
        path = where
        while path:
            yield from self._by_path.get(path, ())
            path = path.rpartition(".")[0]

    def take_facts(self, lr: float | None, optimizer: str) -> None:
        """What the program's four nodes say of the run."""
        evidence = self.evidence
        facts: dict[str, tuple[tuple[str, str], ...]] = {}
        if evidence.graph.name == "":
            rows = evidence.rows.values()
            trained = [row for row in rows if row.kind is Kind.PARAMETER]
            forgotten = [row for row in rows if row.kind is Kind.FORGOTTEN_TENSOR]
            for node in evidence.graph.nodes:
                if node.kind is NodeKind.MODEL and evidence.rows:
                    count = sum(row.count for row in trained)
                    lines = [("Parameters", f"{len(trained):,}"), ("Values", f"{count:,}")]
                    if forgotten:
                        lines.append(("FORGOTTEN", f"{len(forgotten):,}"))
                    facts[node.id] = tuple(lines)
                elif node.kind is NodeKind.OPTIMIZER and lr is not None:
                    facts[node.id] = (("lr", f"{lr:.4g}"),)
        evidence.facts = facts

    def _carry_over(self, traced: dict[PortRef, Traced]) -> None:
        """Reads of tensors have no operation of their own: their row tells the shape."""
        evidence = self.evidence
        for node in evidence.graph.nodes:
            if node.kind not in (NodeKind.PARAMETER, NodeKind.BUFFER, NodeKind.TENSOR):
                continue
            path = evidence.path_of(node)
            row = evidence.rows.get(path) if path else None
            if row is not None and node.outputs:
                statistics = row.gradient_statistics
                norm = statistics.norm if statistics is not None else None
                traced[PortRef(node.id, 0)] = Traced(row.shape, row.requires_grad, norm)


def owners(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return, for each dotted prefix, the tensors below it.

    >>> owners(["a.b.w", "a.v"])
    {'a.b': ['a.b.w'], 'a': ['a.b.w', 'a.v']}
    """
    owned: dict[str, list[str]] = {}
    for path in paths:
        prefix = path.rpartition(".")[0]
        while prefix:
            owned.setdefault(prefix, []).append(path)
            prefix = prefix.rpartition(".")[0]
    return owned


def batch_size(operations: Iterable[OperationRecord]) -> int | None:
    """Return the size that leads most of the traced shapes: the batch."""
    counts = Counter(record.shape[0] for record in operations if len(record.shape) > 1)
    return counts.most_common(1)[0][0] if counts else None


def guessed_inputs(program: Program, graph: Graph) -> dict[PortRef, Shape]:
    """Return what the inputs of a graph must be, by what the Modules that read them want."""
    nodes = {node.id: node for node in graph.nodes}
    names = argument_values(program, graph.name)
    guessed: dict[PortRef, Shape] = {}
    for wire in graph.wires:
        source, target = nodes[wire.source.node], nodes[wire.target.node]
        if source.kind is not NodeKind.INPUT or target.kind is not NodeKind.MODULE:
            continue
        entry = modules().get(target.title) if target.scope is None else None
        contract = entry.shape if entry is not None else None
        if contract is None or wire.target.port >= len(contract.inputs):
            continue
        values = {argument.name: argument.text for argument in target.arguments}
        shape: list[int | str] = []
        if all(axis.text == "*" for axis in contract.inputs[wire.target.port]):
            continue  # it takes any shape, and so says nothing of it
        for axis in contract.inputs[wire.target.port]:
            if axis.text in ("*", "N"):
                shape.append("N")
            else:
                shape.append(_size(values.get(axis.text, axis.text), names))
        guessed.setdefault(wire.source, tuple(shape))
    return guessed


def _planned(program: Program, graph: Graph) -> dict[str, tuple[Planned, ...]]:
    """The tensors that the Modules of a graph will have, as far as the source tells."""
    names = argument_values(program, graph.name)
    planned: dict[str, tuple[Planned, ...]] = {}
    for node in graph.nodes:
        if node.kind is NodeKind.MODULE and node.scope is None and node.path is not None:
            values = {item.name: _value(item.text, names) for item in node.arguments}
            planned[node.id] = planned_tensors(node.title, values)
    return planned


def _value(text: str, names: Mapping[str, object]) -> object:
    try:
        return value_of(text, names)
    except Unknown:
        return text


def _size(text: str, names: Mapping[str, object]) -> int | str:
    try:
        value = value_of(text, names)
    except Unknown:
        return text
    return value if isinstance(value, int) else text


def holes(program: Program, graph: Graph, wired: frozenset[PortRef]) -> dict[str, str]:
    """Return, by node, what is to be said of its open inputs."""
    found: dict[str, str] = {}
    for node in graph.nodes:
        is_open = any(
            port.required and PortRef(node.id, index) not in wired
            for index, port in enumerate(node.inputs)
        )
        if node.span is None or not is_open:
            continue
        for problem in program.problems:
            if _inside(problem.span, node.span):
                found.setdefault(node.id, problem.message)
    return found


@cache
def family_of(title: str) -> str:
    """Return the family of a Module class or an operation by the title of its node."""
    entry = modules().get(title)
    if entry is not None:
        return str(entry.family)
    short = title.rpartition(".")[2]
    for operation in OPERATIONS.values():
        if operation.dotted.rpartition(".")[2] == short:
            return operation.family
    return ""


def _inside(inner: Span, outer: Span) -> bool:
    return (outer.line, outer.column) <= (inner.line, inner.column) and (
        inner.end_line,
        inner.end_column,
    ) <= (outer.end_line, outer.end_column)
