"""Wire the selected node to another one from the keyboard: W, then the other's name."""

from collections.abc import Sequence

from paramscope.code.graph import PortRef
from paramscope_gui.canvas.desk import Desk, Question
from paramscope_gui.canvas.edits import connect, refusal
from paramscope_gui.canvas.evidence import family_of
from paramscope_gui.canvas.faces import shape_text
from paramscope_gui.canvas.search_popup import Found
from paramscope_gui.canvas.tools.add import free_output
from paramscope_gui.canvas.tools.select import reached
from paramscope_gui.canvas.tools.tool import ActionSpec

MOST_ANSWERS = 60


class Joiner:
    """The inputs that an output may be wired to; free ones come first."""

    def __init__(self, desk: Desk, source: PortRef) -> None:
        self._desk = desk
        self._source = source
        self._ports: dict[str, PortRef] = {}
        # What the source is computed from cannot be fed by it.
        self._before = reached({source.node}, desk.graph.wires, downstream=False)

    def find(self, text: str) -> Sequence[Found]:
        """Return the inputs of the nodes in which all words are found."""
        words = text.lower().split()
        free: list[Found] = []
        taken: list[Found] = []
        for node in self._desk.graph.nodes:
            said = f"{node.title} {node.name} {node.path or ''} {node.id}".lower()
            if node.id in self._before or not all(word in said for word in words):
                continue
            for index, port in enumerate(node.inputs):
                target = PortRef(node.id, index)
                wire = self._desk.scene.wire_into(target)
                if wire is not None and wire.source == self._source:
                    continue
                found = self._found(target, port.name, wire.source.node if wire else "")
                (free if wire is None else taken).append(found)
        return [*free, *taken][:MOST_ANSWERS]

    def join(self, found: Found) -> None:
        """Lay the wire, or say why it cannot be."""
        desk, target = self._desk, self._ports[found.expression]
        place = desk.scene.port_place(target.node, "in", target.port)
        refused = refusal(desk, self._source, target)
        if refused is not None:
            desk.say(refused[0], refused[1], place)
            return
        desk.perform(connect(desk.graph.name, self._source, target), place)

    def _found(self, target: PortRef, port: str, fed_by: str) -> Found:
        node = self._desk.scene.nodes_by_id[target.node]
        where = f"{target.node}.{port}"
        self._ports[where] = target
        shape = shape_text(self._desk.presenter.gatherer.evidence.shape(self._source))
        given = f" ({shape})" if shape else ""
        action = f"Wires {self._source.node}{given} to {port} of {target.node}"
        if fed_by:
            action += f", in place of {fed_by}"
        title = f"{node.title} {node.name}".strip()
        state = f"{port}: fed by {fed_by}" if fed_by else f"{port}: free"
        return Found(title, state, where, family_of(node.title), action)


def wire_to(desk: Desk) -> None:
    """Ask which input the selected node's output is wired to."""
    source = free_output(desk)
    if source is None:
        desk.say("This node has no output that could be wired.")
        return
    joiner = Joiner(desk, source)
    prompt = f"Wire {source.node} to which node?"
    desk.ask(Question(joiner.find, joiner.join, prompt, "No other node here can take it."))


ACTIONS = (
    ActionSpec(
        "wire_to",
        "Wire to…",
        ("W",),
        "edit",
        wire_to,
        lambda desk: desk.selected_node is not None and bool(desk.graph.name),
    ),
)
