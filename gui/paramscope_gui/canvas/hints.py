"""Texts of the canvas: what an empty one says, and what lies under the mouse."""

from paramscope.code.graph import Graph, Node, PortRef
from paramscope_gui.bridge.selection import Scope
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.canvas.faces import Evidence, TensorFace, shape_text
from paramscope_gui.canvas.scene import CanvasScene, Hit
from paramscope_gui.theme import LIGHT


def empty_hint(workspace: Workspace, scope: Scope, graph: Graph) -> str:
    """Return what a canvas without nodes says, or an empty string."""
    if graph.nodes:
        return ""
    if workspace.source_error is not None:
        return "This source cannot be read as Python yet.\nCorrect the marked line in the code."
    if scope.graph:
        return "Nothing is computed here yet.\nPress Tab to add a layer."
    return "Press Tab to add a layer, or open an example."


def tooltip(hit: Hit, scene: CanvasScene, evidence: Evidence) -> str:
    """Return what is known of the thing under the mouse."""
    if hit.wire is not None:
        return scene.wire_faces[hit.wire].tooltip
    if hit.node is None:
        return ""
    node = scene.nodes_by_id[hit.node]
    if hit.is_port:
        return _port_text(node, hit, scene, evidence)
    if hit.tensor is not None:
        return _tensor_text(hit.tensor)
    badge = scene.drawing_of(node.id).face.badge
    if badge is None:
        return ""
    return f"{badge.message}\nClick the badge to see the problem." if badge.rule else badge.message


def _port_text(node: Node, hit: Hit, scene: CanvasScene, evidence: Evidence) -> str:
    ports = node.inputs if hit.side == "in" else node.outputs
    port = ports[hit.port]
    if hit.side == "out":
        return f"{port.name}  {shape_text(evidence.shape(PortRef(node.id, hit.port)))}".strip()
    wire = scene.wire_into(PortRef(node.id, hit.port))
    if wire is not None:
        return f"{port.name}: {scene.wire_faces[wire].tooltip}".removesuffix(": ")
    if port.required:
        return f"{port.name}: nothing is connected. Drop a wire here."
    return f"{port.name}: may stay open"


def _tensor_text(face: TensorFace) -> str:
    row = face.row
    if row is None:
        return f"{face.name}  {shape_text(face.shape)}"
    words = [
        LIGHT.kind(row.kind).word,
        LIGHT.gradient(row.gradient).word,
        LIGHT.stepping(row.stepping).word,
    ]
    states = " · ".join(word for word in words if word)
    lines = [f"{row.path}  {shape_text(row.shape)}  {row.dtype}", states]
    if row.tied_with:
        lines.append(f"tied with {', '.join(row.tied_with)}")
    if row.note:
        lines.append(row.note)
    return "\n".join(lines)
