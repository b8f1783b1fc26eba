"""Add nodes: by search (Tab, Shift+A, double click) and by dropping a palette entry."""

from PySide6.QtCore import QPointF

from paramscope.code.commands import Together
from paramscope.code.graph import NodeKind, PortRef, Wire
from paramscope_gui.canvas.desk import Desk, SearchWish
from paramscope_gui.canvas.edits import add_expression, insert_expression, is_tensor
from paramscope_gui.canvas.tools.tool import ActionSpec


def search(desk: Desk) -> None:
    """Search for what to add behind the selected node, or at the end of the model."""
    source = free_output(desk)
    desk.open_search(SearchWish(desk.view.add_place, source, is_placed=False))


def free_output(desk: Desk) -> PortRef | None:
    """Return the output that a new node is wired to: the selected node's, or the model's last."""
    if not desk.selection.nodes:
        return _last_output(desk)
    node = desk.selected_node
    if node is None or not node.outputs:
        return None
    taken = {
        wire.source.port for wire in desk.scene.wires_of(node.id) if wire.source.node == node.id
    }
    free = [index for index in range(len(node.outputs)) if index not in taken]
    return PortRef(node.id, free[0] if free else 0)


def _last_output(desk: Desk) -> PortRef | None:
    ends = [node for node in desk.graph.nodes if node.kind is NodeKind.OUTPUT]
    if len(ends) != 1 or len(ends[0].inputs) != 1:
        return None
    wire = desk.scene.wire_into(PortRef(ends[0].id, 0))
    return None if wire is None else wire.source


def drop(desk: Desk, text: str, place: QPointF) -> None:
    """Add what was dropped, or insert it into the wire on which it was dropped."""
    drag_over(desk, "", None)
    desk.view.is_at_start = False
    before = frozenset(desk.scene.nodes_by_id)
    wire = _wire_for(desk, text, place)
    if wire is not None:
        command = insert_expression(desk.graph.name, wire, text)
    else:
        label = f"Add {text.partition('(')[0].rpartition('.')[2] or text}"
        command = Together(label, (desk.pinned({}), add_expression(desk, text, place)))
    if desk.perform(command, place):
        desk.selection.select_nodes(frozenset(desk.scene.nodes_by_id) - before)
    desk.view.setFocus()


def drag_over(desk: Desk, text: str, place: QPointF | None) -> None:
    """Show the wire that a drop here would be inserted into."""
    scene = desk.scene
    wire = None if place is None else _wire_for(desk, text, place)
    scene.marks.joined = [scene.paths[wire]] if wire is not None else ()
    scene.show_marks()


def _wire_for(desk: Desk, text: str, place: QPointF) -> Wire | None:
    if is_tensor(text):
        return None
    return desk.scene.wire_at(place, 12.0 / desk.view.zoom_factor)


ACTIONS = (ActionSpec("add_node", "Add a node…", ("Tab", "Shift+A"), "add", search),)
