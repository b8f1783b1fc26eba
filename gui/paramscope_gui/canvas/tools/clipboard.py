"""Copy, cut and paste: what is copied is Python text, and pasted Python becomes nodes.

Nodes that are pasted on the canvas they were copied from keep the wires between them.
"""

from PySide6.QtCore import QPointF
from PySide6.QtGui import QGuiApplication

from paramscope.code.commands import Together
from paramscope_gui.canvas.desk import Copied, Desk
from paramscope_gui.canvas.edits import add_expression, expression_of, expressions_in
from paramscope_gui.canvas.tools.delete import delete_selected
from paramscope_gui.canvas.tools.duplicate import duplicated
from paramscope_gui.canvas.tools.tool import ActionSpec, has_nodes

_STEP = QPointF(0.0, 96.0)


def copy(desk: Desk) -> None:
    """Put the selected nodes on the clipboard, one line of Python each."""
    order = [node.id for node in desk.graph.nodes if node.id in desk.selection.nodes]
    lines = {key: expression_of(desk, key) for key in order}
    written = {key: line for key, line in lines.items() if line is not None}
    if written:
        text = "\n".join(written.values())
        desk.copied = Copied(desk.graph.name, tuple(written), text)
        QGuiApplication.clipboard().setText(text)
    else:
        desk.say("Only layers, operations and tensors can be copied.")


def cut_nodes(desk: Desk) -> None:
    """Copy the selected nodes and delete them."""
    copy(desk)
    delete_selected(desk, False)


def paste(desk: Desk) -> None:
    """Make a node of each expression on the clipboard, and select them."""
    text = QGuiApplication.clipboard().text()
    if _paste_copies(desk, text, with_inputs=False):
        return
    expressions = expressions_in(text)
    if not expressions:
        desk.say("The clipboard holds no Python expression, such as nn.Linear(8, 16).")
        return
    place = desk.view.add_place
    commands = []
    for expression in expressions:
        commands.append(add_expression(desk, expression, place))
        place = place + _STEP
    before = frozenset(desk.scene.nodes_by_id)
    label = "Paste" if len(commands) == 1 else f"Paste {len(commands)} nodes"
    if desk.perform(Together(label, (desk.pinned({}), *commands))):
        desk.selection.select_nodes(frozenset(desk.scene.nodes_by_id) - before)


def paste_with_inputs(desk: Desk) -> None:
    """Paste, and feed the copies from what feeds the originals."""
    if not _paste_copies(desk, QGuiApplication.clipboard().text(), with_inputs=True):
        paste(desk)


def _paste_copies(desk: Desk, text: str, with_inputs: bool) -> bool:
    """Paste the nodes the text was copied from, if they are still on this canvas."""
    copied, scene = desk.copied, desk.scene
    if copied is None or (copied.graph, copied.text) != (desk.graph.name, text):
        return False
    if not all(key in scene.nodes_by_id for key in copied.nodes):
        return False
    corners = {key: scene.node_rect(key).topLeft() for key in copied.nodes}
    left = min(corner.x() for corner in corners.values())
    top = min(corner.y() for corner in corners.values())
    shift = desk.view.add_place - QPointF(left, top)
    places = {key: corner + shift for key, corner in corners.items()}
    before = frozenset(scene.nodes_by_id)
    command = duplicated(desk, places, with_inputs, "Paste")
    if command is not None and desk.perform(command):
        desk.selection.select_nodes(frozenset(scene.nodes_by_id) - before)
    return True


ACTIONS = (
    ActionSpec("cut", "Cut", ("Ctrl+X",), "edit", cut_nodes, has_nodes),
    ActionSpec("copy", "Copy as Python", ("Ctrl+C",), "edit", copy, has_nodes),
    ActionSpec("paste", "Paste Python", ("Ctrl+V",), "edit", paste),
    ActionSpec(
        "paste_with_inputs", "Paste and keep inputs", ("Ctrl+Shift+V",), "edit", paste_with_inputs
    ),
)
