"""Search-to-add: core's answers, what Enter would do with each, and doing it.

A node that is wired by the search gets no place of its own: the layout puts it behind its
source. One that is added without a wire goes where the user points.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF

from paramscope.code.catalog import modules
from paramscope.code.commands import Connect, InsertOnWire, ReplaceText, Together
from paramscope.code.graph import PortRef, Wire
from paramscope.code.parse import parse
from paramscope.code.search import Match, search
from paramscope.code.templates import empty_model
from paramscope.document.document import Command, CommandRefused, Document
from paramscope_gui.bridge.selection import Scope
from paramscope_gui.canvas.desk import Desk, SearchWish
from paramscope_gui.canvas.edits import add_expression
from paramscope_gui.canvas.faces import Shape, shape_text
from paramscope_gui.canvas.search_popup import Found
from paramscope_gui.canvas.tools.add import free_output

MOST_ANSWERS = 40
_TENSORS = (
    ("Parameter", "A tensor that the optimizer trains", "nn.Parameter(torch.zeros({}))"),
    (
        "buffer",
        "A tensor that is saved but not trained",
        "register_buffer('{name}', torch.zeros({}))",
    ),
    ("tensor", "A plain tensor attribute", "torch.zeros({})"),
)


@dataclass(frozen=True)
class AddBefore:
    """Add a node and lay a wire from it to an input, as one step."""

    add: Command
    graph: str
    target: PortRef

    @property
    def label(self) -> str:
        """As the addition is called."""
        return self.add.label

    def apply(self, document: Document) -> Document:
        """Add, see what is new, and connect it."""
        before = {node.id for node in parse(document.source).graphs[self.graph].nodes}
        added = self.add.apply(document)
        graph = parse(added.source).graphs[self.graph]
        new = next((node for node in graph.nodes if node.id not in before), None)
        if new is None or not new.outputs:
            raise CommandRefused("What was added has no output for that input.")
        return Connect(self.graph, PortRef(new.id, 0), self.target).apply(added)


class Searcher:
    """Answers the search of one canvas and adds what was chosen."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._matches: dict[str, Match] = {}

    def find(self, text: str, wish: SearchWish) -> Sequence[Found]:
        """Return what ``text`` may mean for ``wish``, best first."""
        shape = self._source_shape(wish)
        program = self._desk.workspace.program
        matches = search(text, program, shape)
        # What is called by its very name is meant, though something else might fit better.
        word = text.partition(" ")[0].partition("(")[0].lower()
        matches.sort(key=lambda match: not _is_named(match, word))
        matches = matches[:MOST_ANSWERS]
        self._matches = {match.expression: match for match in matches}
        found = []
        for match in matches:
            entry = match.entry
            summary = entry.summary if match.fits else match.reason
            action = self._action(match, wish, shape)
            found.append(Found(entry.title, summary, match.expression, entry.family, action))
        return [*found, *self._tensors(text)]

    def add(self, found: Found, wish: SearchWish) -> None:
        """Add what was chosen, select it and bring it into view."""
        desk = self._desk
        if not desk.graph.name and not desk.workspace.document.source.strip():
            self._begin_model()
            source = free_output(desk)
            self.add_text(found.expression, SearchWish(wish.place, source, is_placed=False))
            return
        match = self._matches.get(found.expression)
        if match is not None and not match.fits:
            repair = self._repair(match, wish)
            label = f"{found.title} does not fit: {match.reason}"
            desk.say(label, repair, self._place_of(wish))
            return
        before = frozenset(desk.scene.nodes_by_id)
        if not desk.perform(self._command(found.expression, wish), self._place_of(wish)):
            return
        self.show_new(before)

    def add_text(self, expression: str, wish: SearchWish) -> None:
        """Add what a Python expression stands for, with the size that fits where it is wired."""
        shape = self._source_shape(wish)
        fitted = fitting(expression, shape) if shape is not None else None
        self.add(Found("", "", fitted or expression, "", ""), wish)

    def show_new(self, before: frozenset[str]) -> None:
        """Select the nodes that were not there before and bring them into view."""
        desk = self._desk
        new = [key for key in desk.scene.nodes_by_id if key not in before]
        if new:
            desk.selection.select_nodes(new[-1:])
            desk.view.reveal(desk.scene.node_rect(new[-1]))

    def _command(self, expression: str, wish: SearchWish) -> Command:
        desk, graph = self._desk, self._desk.graph.name
        if wish.is_placed:
            desk.view.is_at_start = False  # what the user points at must not jump away
        if wish.source is not None and wish.target is not None:
            return InsertOnWire(graph, Wire(wish.source, wish.target), expression)
        if wish.source is not None:
            place = wish.place if wish.is_placed else None
            added = add_expression(desk, expression, place, wish.source)
            return added if place is None else Together(added.label, (desk.pinned({}), added))
        corner = wish.place - QPointF(0.0, 16.0)
        added = add_expression(desk, expression, corner)
        placed: Command = Together(added.label, (desk.pinned({}), added))
        if wish.target is not None:
            return AddBefore(placed, graph, wish.target)
        return placed

    def _begin_model(self) -> None:
        """An empty document gets the model to which layers can be added."""
        desk = self._desk
        template = empty_model()
        desk.perform(ReplaceText(template.source, "New model"))
        model = desk.workspace.program.model
        if model is not None:
            desk.selection.enter(Scope(model))

    def _place_of(self, wish: SearchWish) -> QPointF:
        if wish.source is not None and wish.source.node in self._desk.scene.nodes_by_id:
            return self._desk.scene.node_rect(wish.source.node).center()
        return wish.place

    def _source_shape(self, wish: SearchWish) -> Shape | None:
        if wish.source is None:
            return None
        return self._desk.presenter.gatherer.evidence.shape(wish.source)

    def _action(self, match: Match, wish: SearchWish, shape: Shape | None) -> str:
        """What Enter will do, in one line."""
        if not match.fits:
            repair = self._repair(match, wish)
            offer = f" Enter offers: {repair.label}." if repair is not None else ""
            return f"Does not fit: {match.reason}.{offer}"
        what = f"Adds {match.expression}"
        if wish.source is not None and wish.target is not None:
            return f"{what} between {wish.source.node} and {wish.target.node}"
        if wish.source is not None:
            given = f" ({shape_text(shape)})" if shape is not None else ""
            return f"{what} after {wish.source.node}{given}"
        if wish.target is not None:
            return f"{what} before {wish.target.node}"
        return what

    def _repair(self, match: Match, wish: SearchWish) -> Command | None:
        """The same addition with the sizes that fit, if those are what is wrong."""
        shape = self._source_shape(wish)
        expression = None if shape is None else fitting(match.expression, shape)
        if expression is None:
            return None
        added = self._command(expression, wish)
        return Together(f"Add {expression}", (added,))

    def _tensors(self, text: str) -> list[Found]:
        """Tensors of the class: ``parameter 8``."""
        name, _, size = text.partition(" ")
        if self._desk.graph.name == "" or len(name) < 3:
            return []
        found = []
        for title, summary, template in _TENSORS:
            if title.lower().startswith(name.lower()):
                expression = template.format(size.strip() or "8", name="state")
                found.append(Found(title, summary, expression, "tensor", f"Adds {expression}"))
        return found


def _is_named(match: Match, word: str) -> bool:
    names = (match.entry.title, *match.entry.aliases)
    return any(name.lower() == word for name in names)


def fitting(expression: str, shape: Shape) -> str | None:
    """Return a layer's expression with the sizes that take ``shape``; None if none do."""
    call = ast.parse(expression, mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    entry = modules().get(call.func.attr)
    if entry is None:
        return None
    names = [argument.name for argument in entry.arguments]
    values = dict(zip(names, call.args, strict=False))
    values |= {item.arg: item.value for item in call.keywords if item.arg is not None}
    try:
        known = {name: ast.literal_eval(item) for name, item in values.items()}
        entry.infer(known, shape)
    except RuntimeError as error:
        repair: Mapping[str, int] = getattr(error, "fields", {}).get("repair") or {}
        if not repair:
            return None
        for name, value in repair.items():
            values[name] = ast.Constant(value)
        head = [ast.unparse(values[name]) for name in names[: len(call.args)]]
        rest = [
            f"{name}={ast.unparse(item)}"
            for name, item in values.items()
            if name not in names[: len(call.args)]
        ]
        return f"{ast.unparse(call.func)}({', '.join([*head, *rest])})"
    except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError, AttributeError):
        return None
    return None
