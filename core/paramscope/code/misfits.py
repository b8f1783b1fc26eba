"""Layers that do not fit, found before anything has run: what ``batch()`` gives meets the model.

Only what the source says for certain counts: where a size is not known, nothing is said.
"""

from dataclasses import dataclass

from paramscope.code.batch_shapes import batch_shapes
from paramscope.code.graph import NodeKind, PortRef, Program, Span
from paramscope.code.shapes import Shape, Unfit, infer_shapes
from paramscope.document.document import Command


@dataclass(frozen=True, slots=True)
class MisfitProblem:
    """A place of the model's forward that cannot run with what the document gives it."""

    message: str
    span: Span
    node: str
    repair: Command | None = None


def model_inputs(program: Program, source: str) -> dict[PortRef, Shape]:
    """Return what ``batch()`` gives the inputs of the model, N for the batch."""
    graph = program.graphs.get(program.model or "")
    if graph is None:
        return {}
    inputs = [node for node in graph.nodes if node.kind is NodeKind.INPUT]
    return {
        PortRef(node.id, 0): ("N", *shape[1:])
        for node, shape in zip(inputs, batch_shapes(source), strict=False)
        if shape
    }


def misfits(program: Program, source: str) -> tuple[MisfitProblem, ...]:
    """Return the nodes of the model that cannot take what its first input brings them."""
    graph = program.graphs.get(program.model or "")
    known = model_inputs(program, source)
    if graph is None or not known:
        return ()
    unfit: list[Unfit] = []
    infer_shapes(program, graph.name, known, unfit)
    spans = {node.id: node.span for node in graph.nodes}
    found = []
    for item in unfit:
        span = spans[item.node]
        if span is not None:
            message = f"`{item.node}` does not fit: {item.reason}"
            found.append(MisfitProblem(message, span, item.node, item.repair))
    return tuple(found)
