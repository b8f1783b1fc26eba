"""Go along the wires from node to node with Alt and the arrow keys."""

from functools import partial

from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.tools.tool import ActionSpec


def walk(desk: Desk, direction: str) -> None:
    """Select the node that the wires lead to, or the nearest above or below."""
    scene = desk.scene
    nodes = scene.nodes_by_id
    if not nodes:
        return
    now = next((key for key in nodes if key in desk.selection.nodes), None)
    if now is None:
        target: str | None = min(nodes, key=lambda key: scene.node_rect(key).left())
    elif direction in ("left", "right"):
        target = _along(desk, now, direction)
    else:
        target = _beside(desk, now, direction)
    if target is not None:
        desk.selection.select_nodes({target})
        desk.view.reveal(scene.node_rect(target))


def _along(desk: Desk, now: str, direction: str) -> str | None:
    scene = desk.scene
    if direction == "right":
        wires = [wire for wire in scene.wires_of(now) if wire.source.node == now]
        ordered = sorted(wires, key=lambda wire: scene.node_rect(wire.target.node).top())
        return ordered[0].target.node if ordered else None
    wires = [wire for wire in scene.wires_of(now) if wire.target.node == now]
    return min(wires, key=lambda wire: wire.target.port).source.node if wires else None


def _beside(desk: Desk, now: str, direction: str) -> str | None:
    scene = desk.scene
    here = scene.node_rect(now).center()
    sign = 1.0 if direction == "down" else -1.0
    found = []
    for key in scene.nodes_by_id:
        there = scene.node_rect(key).center()
        away = (there.y() - here.y()) * sign
        if away > 1.0:
            found.append((away + 2.0 * abs(there.x() - here.x()), key))
    return min(found)[1] if found else None


ACTIONS = tuple(
    ActionSpec(
        f"walk_{direction}",
        f"Go {words}",
        (f"Alt+{direction.capitalize()}",),
        "walk",
        partial(walk, direction=direction),
    )
    for direction, words in (
        ("left", "to what feeds this node"),
        ("right", "to what this node feeds"),
        ("up", "to the node above"),
        ("down", "to the node below"),
    )
)
