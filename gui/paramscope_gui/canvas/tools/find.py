"""Find a node or a tensor anywhere in the model by name or state, and go there: Ctrl+F."""

from collections.abc import Iterator, Sequence

from paramscope.census.rows import TensorRow
from paramscope.code.graph import Graph, Node, Program
from paramscope_gui.bridge.selection import Scope
from paramscope_gui.canvas.desk import Desk, Question
from paramscope_gui.canvas.evidence import family_of
from paramscope_gui.canvas.faces import shape_text
from paramscope_gui.canvas.search_popup import Found
from paramscope_gui.canvas.tools.tool import ActionSpec
from paramscope_gui.theme import LIGHT

MOST_ANSWERS = 60
# A model made of more Modules than this is searched as far as that.
MOST_SCOPES = 400


class Finder:
    """What a search for nodes and tensors answers, and where each answer lies."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        program = desk.workspace.program
        here = desk.selection.scope
        scopes = [here, *(scope for scope in scopes_of(program) if scope != here)]
        self._nodes = [
            (scope, node)
            for scope in scopes
            for node in program.graphs.get(scope.graph, Graph("")).nodes
        ]
        self._places: dict[str, tuple[Scope, Node | None, str]] = {}

    def find(self, text: str) -> Sequence[Found]:
        """Return the nodes and tensors in which all words are found."""
        words = text.lower().split()
        states = [word.partition(":")[2] for word in words if _asks_state(word)]
        names = [word for word in words if not _asks_state(word)]
        found = [] if states else list(self._found_nodes(names))
        for path, row in self._desk.presenter.gatherer.evidence.rows.items():
            if all(name in path.lower() for name in names) and _has_states(row, states):
                found.append(self._tensor(path, row))
            if len(found) >= MOST_ANSWERS:
                break
        return found[:MOST_ANSWERS]

    def go(self, found: Found) -> None:
        """Show the canvas of the answer, select it and bring it into view."""
        scope, node, tensor = self._places[found.expression]
        desk = self._desk
        if scope != desk.selection.scope:
            desk.selection.enter(scope)
        if tensor:
            desk.selection.select_tensor(tensor)
        elif node is not None:
            desk.selection.select_nodes({node.id})
        chosen = [key for key in desk.selection.nodes if key in desk.scene.items_by_id]
        if chosen:
            desk.view.reveal(desk.scene.node_rect(chosen[0]))

    def _found_nodes(self, names: Sequence[str]) -> Iterator[Found]:
        for scope, node in self._nodes:
            path = _path(scope, node)
            where = f"{scope.graph or 'Program'}: {path or node.id}"
            said = f"{node.title} {node.name} {path} {node.id}".lower()
            if all(name in said for name in names):
                self._places[where] = (scope, node, "")
                title = f"{node.title} {node.name}".strip()
                yield Found(title, "node", where, family_of(node.title), f"Goes to {where}")

    def _tensor(self, path: str, row: TensorRow) -> Found:
        scope, node = self._holder(path)
        self._places[path] = (scope, node, path)
        looks = (LIGHT.kind(row.kind), LIGHT.gradient(row.gradient), LIGHT.stepping(row.stepping))
        states = " · ".join(look.word for look in looks if look.word)
        text = f"{shape_text(row.shape)}  {states}"
        return Found(path, text, path, "tensor", f"Goes to the tensor {path}")

    def _holder(self, path: str) -> tuple[Scope, Node | None]:
        """The node nearest to a tensor: the one with the longest path that leads to it."""
        best: tuple[int, Scope, Node | None] = (-1, self._desk.selection.scope, None)
        for scope, node in self._nodes:
            own = _path(scope, node)
            leads = bool(own) and (path == own or path.startswith(f"{own}."))
            if leads and len(own) > best[0]:
                best = (len(own), scope, node)
        return best[1], best[2]


def scopes_of(program: Program) -> Iterator[Scope]:
    """Return the program's canvas, the model's, and that of each Module in it."""
    yield Scope("")
    waiting = [Scope(program.model)] if program.model is not None else []
    seen: set[Scope] = set()
    while waiting and len(seen) < MOST_SCOPES:
        scope = waiting.pop(0)
        if scope in seen or scope.graph not in program.graphs:
            continue
        seen.add(scope)
        yield scope
        for node in program.graphs[scope.graph].nodes:
            if node.scope is not None:
                waiting.append(Scope(node.scope, _path(scope, node) or scope.instance))


def find(desk: Desk) -> None:
    """Ask what to go to."""
    finder = Finder(desk)
    prompt = "Node, tensor, or state:unused"
    nothing = "No node and no tensor is called so, or is in that state now."
    desk.ask(Question(finder.find, finder.go, prompt, nothing))


def _path(scope: Scope, node: Node) -> str:
    if node.path is None:
        return ""
    return f"{scope.instance}.{node.path}" if scope.instance else node.path


def _asks_state(word: str) -> bool:
    return word.partition(":")[0] in ("state", "kind") and word.partition(":")[2] != ""


def _has_states(row: TensorRow, wanted: Sequence[str]) -> bool:
    state = f"{row.kind} {row.gradient} {row.stepping}".lower()
    state += " tied" if row.tied_with else ""
    return all(value in state or value in state.replace(" ", "") for value in wanted)


ACTIONS = (ActionSpec("find", "Find a node or tensor…", ("Ctrl+F",), "select", find),)
