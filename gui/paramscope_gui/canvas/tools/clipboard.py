"""Copy, cut and paste: what is copied is Python text, and pasted Python becomes nodes."""

from PySide6.QtCore import QPointF
from PySide6.QtGui import QGuiApplication

from paramscope.code.commands import Together
from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.edits import add_expression, expression_of, expressions_in
from paramscope_gui.canvas.tools.delete import delete_selected
from paramscope_gui.canvas.tools.tool import ActionSpec, has_nodes

_STEP = QPointF(0.0, 96.0)


def copy(desk: Desk) -> None:
    """Put the selected nodes on the clipboard, one line of Python each."""
    order = [node.id for node in desk.graph.nodes if node.id in desk.selection.nodes]
    lines = [expression_of(desk, key) for key in order]
    written = [line for line in lines if line is not None]
    if written:
        QGuiApplication.clipboard().setText("\n".join(written))
    else:
        desk.say("Only layers, operations and tensors can be copied.")


def cut_nodes(desk: Desk) -> None:
    """Copy the selected nodes and delete them."""
    copy(desk)
    delete_selected(desk, False)


def paste(desk: Desk) -> None:
    """Make a node of each expression on the clipboard, and select them."""
    text = QGuiApplication.clipboard().text()
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


def has_text(desk: Desk) -> bool:
    """Whether there is text to paste."""
    return bool(QGuiApplication.clipboard().text().strip())


ACTIONS = (
    ActionSpec("cut", "Cut", ("Ctrl+X",), "edit", cut_nodes, has_nodes),
    ActionSpec("copy", "Copy as Python", ("Ctrl+C",), "edit", copy, has_nodes),
    ActionSpec("paste", "Paste Python", ("Ctrl+V",), "edit", paste),
)
