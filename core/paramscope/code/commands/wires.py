"""Commands on wires: connect, disconnect, insert a node into a wire."""

import ast
from dataclasses import dataclass

from paramscope.code.call_text import CallText
from paramscope.code.commands.calls import module_of, new_member, operation_text
from paramscope.code.commands.order import order
from paramscope.code.commands.sequence import insert_element, is_sequence_graph
from paramscope.code.commands.statements import (
    body_of,
    inserted_after,
    inserted_before,
)
from paramscope.code.commands.values import (
    MEMBER_TENSORS,
    depends_on,
    expression_of,
    function_of,
    hoist,
    is_nested,
    is_read_later,
    readable,
    variable_at,
    variable_for,
)
from paramscope.code.commands.workspace import Handle, Workspace, refuse
from paramscope.code.draft import Draft, Input, Source
from paramscope.code.graph import NodeKind, PortRef, Wire
from paramscope.code.text_edit import Edit
from paramscope.document.document import Document, Point


@dataclass(frozen=True, slots=True)
class Connect:
    """Lay a wire from an output to an input; what the input had before is replaced.

    ``moved_from`` is the input that the wire was taken off, when its end was dragged.
    """

    graph: str
    source: PortRef
    target: PortRef
    moved_from: PortRef | None = None

    @property
    def label(self) -> str:
        return f"Connect {self.source.node} to {self.target.node}"

    def apply(self, document: Document) -> Document:
        """Write the wire into forward, moving statements so that values come before uses."""
        space = Workspace(document)
        left = self.moved_from
        old = space.handle(self.graph, left.node) if left is not None else None
        connect(space, self.graph, self.source, self.target)
        if old is not None and left is not None and old.id is not None:
            replace_input(space, old, left.port, "...")
        return space.document()


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Take the wire off an input; a required input then reads ``...``."""

    graph: str
    target: PortRef

    @property
    def label(self) -> str:
        return f"Disconnect {self.target.node}"

    def apply(self, document: Document) -> Document:
        """Put a hole where the input was read, or drop an optional argument."""
        space = Workspace(document)
        target = space.handle(self.graph, self.target.node)
        item = _input(space, target, self.target.port)
        if isinstance(item.value, Source):
            keep_nested(space, target, self.target.port)
            replace_input(space, target, self.target.port, "...")
        return space.document()


@dataclass(frozen=True, slots=True)
class InsertOnWire:
    """Put a new Module (``nn.ReLU()``) or operation (``torch.tanh``) into a wire."""

    graph: str
    wire: Wire
    expression: str
    position: Point | None = None
    name: str | None = None

    @property
    def label(self) -> str:
        return f"Insert {self.expression.partition('(')[0]}"

    def apply(self, document: Document) -> Document:
        """Wrap what the target reads in a call of the new node."""
        space = Workspace(document)
        target = space.handle(self.graph, self.wire.target.node)
        source = space.handle(self.graph, self.wire.source.node)
        item = _input(space, target, self.wire.target.port)
        if not isinstance(item.value, Source) or item.value.node.id != source.id:
            refuse("That wire is gone.")
        if is_sequence_graph(space, self.graph) and module_of(space, self.expression):
            made = insert_element(space, self.graph, self.expression, self.wire.source.node)
            space.place(self.graph, made, self.position)
            return space.document()
        function_of(space, self.graph)
        before = set(space.drawing(self.graph).drafts)
        if module_of(space, self.expression) is not None:
            attribute = new_member(space, self.graph, self.expression, self.name)
            template = f"self.{attribute}(...)"
        else:
            attribute = None
            template = operation_text(space, self.expression)
        insert(space, target, self.wire.target.port, template)
        added = set(space.drawing(self.graph).drafts) - before
        if self.position is not None:
            made = attribute if attribute is not None else min(added, default="")
            space.place(self.graph, made, self.position)
        return space.document()


@dataclass(frozen=True, slots=True)
class ConnectThrough:
    """Lay a wire from an output to an input with a new node in it."""

    graph: str
    source: PortRef
    target: PortRef
    expression: str
    position: Point | None = None

    @property
    def label(self) -> str:
        return f"Insert {self.expression.partition('(')[0].rpartition('.')[2]}"

    def apply(self, document: Document) -> Document:
        """Connect, then insert into the new wire."""
        space = Workspace(document)
        target = space.handle(self.graph, self.target.node)
        source = space.handle(self.graph, self.source.node)
        connect(space, self.graph, self.source, self.target)
        if source.id is None or target.id is None:
            refuse("The wire cannot be laid.")
        wire = Wire(PortRef(source.id, self.source.port), PortRef(target.id, self.target.port))
        insertion = InsertOnWire(self.graph, wire, self.expression, self.position)
        return insertion.apply(space.document())


def connect(space: Workspace, graph: str, source: PortRef, target: PortRef) -> None:
    """Lay one wire; the steps are those of `Connect`."""
    function_of(space, graph)
    giver, taker = space.handle(graph, source.node), space.handle(graph, target.node)
    given, taken = space.draft(giver), space.draft(taker)
    if source.port >= len(given.outputs):
        refuse(f"`{source.node}` has no output to connect.")
    item = _input(space, taker, target.port)
    if isinstance(item.value, Source) and item.value == Source(given, source.port):
        return
    if depends_on(given, taken):
        refuse(
            f"`{given.id}` is computed from `{taken.id}`, so the wire would close a circle. "
            "Write a loop in the code if the value should come round again."
        )
    if given.kind is NodeKind.MODULE and given.syntax is None:
        _call_for(space, giver, taker)
        given = space.draft(giver)
    if space.draft(taker).syntax is None:
        _call_with(space, giver, source.port, taker, target.port)
        return
    order(space, giver, taker)
    # First, because it may take the last free name; and under a name of its own.
    keep_nested(space, taker, target.port, reuse=False)
    text = readable(space, giver, source.port, taker)
    replace_input(space, taker, target.port, text)


def insert(space: Workspace, target: Handle, port: int, template: str) -> None:
    """Make an input read a template whose first hole is what it read before."""
    item = _input(space, target, port)
    node = space.draft(target)
    read = item.reads[0] if item.reads else None
    if read is None or node.statement is None:
        refuse("There is no place in the source to insert into.")
    old = space.text.text(read)
    plain = isinstance(read, ast.Name) and isinstance(node.syntax, ast.Return | ast.AugAssign)
    if plain or node.kind is NodeKind.CODE:
        # A line of its own reads better than `return f(g(h(x)))`.
        function = function_of(space, target.graph)
        name = old
        overwritten = isinstance(node.syntax, ast.AugAssign) and read is node.syntax.target
        keep = node.kind is NodeKind.CODE or overwritten
        if not keep and is_read_later(function, old, node.statement, read):
            name = variable_for(space, target.graph, None, node.statement)
        line = f"{name} = {template.replace('...', old, 1)}"
        edits = [inserted_before(space.text, node.statement, [line])]
        if name != old:
            edits.append(Edit(*space.text.node_range(read), name))
        space.edit(edits)
        return
    before, _, behind = template.partition("...")
    if template.startswith("(") or "(" not in template:
        before, behind = f"({before}", f"{behind})"
    start, end = space.text.node_range(read)
    space.edit([Edit(start, start, before), Edit(end, end, behind)])


def replace_input(space: Workspace, handle: Handle, port: int, text: str) -> None:
    """Let an input read other text, whatever form its place in the source has."""
    space.edit(input_edits(space, space.draft(handle), port, text))


def input_edits(space: Workspace, node: Draft, port: int, text: str) -> list[Edit]:
    """The edits that let an input read other text; refuses where it cannot."""
    item = node.inputs[port]
    syntax, statement = node.syntax, node.statement
    if isinstance(syntax, ast.AugAssign) and port == 0:
        symbol = node.title.removesuffix("=").replace("×", "*")
        value = space.text.text(syntax.value)
        target = space.text.text(syntax.target)
        start, end = space.text.node_range(syntax)
        return [Edit(start, end, f"{target} = {text} {symbol} ({value})")]
    if node.kind is NodeKind.CODE and item.name != "value":
        if text == "..." or not isinstance(syntax, ast.stmt) or statement is None:
            refuse(f"The text of this node reads `{item.name}`; edit the text.")
        return _replaced_in_code(space, node, item, text)
    if not item.reads:
        return _added_argument(space, node, port, text) if text != "..." else []
    read = item.reads[0]
    if text == "..." and not item.required and isinstance(syntax, ast.Call):
        return list(CallText(space.text, syntax).without(read))
    start, end = space.text.node_range(read)
    if text == "..." and isinstance(syntax, ast.Call) and not _is_argument(syntax, read):
        text = "(...)"
    return [Edit(start, end, text)]


def keep_nested(space: Workspace, target: Handle, port: int, reuse: bool = True) -> None:
    """Before an input reads something else: save the nodes written inside its argument.

    Without ``reuse`` they get a new variable, so that no other value is overwritten.
    """
    item = space.draft(target).inputs[port]
    if not isinstance(item.value, Source) or not item.reads:
        return
    node = item.value.node
    if is_nested(node) and node.syntax is item.reads[0] and node.kind not in MEMBER_TENSORS:
        name = None
        if not reuse and node.statement is not None:
            name = variable_for(space, target.graph, None, node.statement)
        hoist(space, space.handle(target.graph, node.id), name)


def _input(space: Workspace, handle: Handle, port: int) -> Input:
    node = space.draft(handle)
    if port >= len(node.inputs):
        refuse(f"`{node.id}` has no input number {port + 1}.")
    return node.inputs[port]


def _is_argument(call: ast.Call, read: ast.expr) -> bool:
    return read is not call.func and not any(node is read for node in ast.walk(call.func))


def _replaced_in_code(space: Workspace, node: Draft, item: Input, text: str) -> list[Edit]:
    statement = node.statement
    assert statement is not None
    if item.name in node.outputs or not item.reads:
        return [inserted_before(space.text, statement, [f"{item.name} = {text}"])]
    return [Edit(*space.text.node_range(read), text) for read in item.reads]


def _added_argument(space: Workspace, node: Draft, port: int, text: str) -> list[Edit]:
    """Write an argument that the call leaves out."""
    if not isinstance(node.syntax, ast.Call):
        refuse(f"`{node.id}` has no place for a wire; edit the code.")
    call = node.syntax
    name = node.inputs[port].name
    before = node.inputs[:port]
    positional = len(call.args) == port and all(item.reads for item in before)
    written = text if positional and not call.keywords else f"{name}={text}"
    return list(CallText(space.text, call).with_argument(written))


def _call_for(space: Workspace, giver: Handle, taker: Handle) -> None:
    """Call a member that was never called, with holes, in front of the node that wants it."""
    node, target = space.draft(giver), space.draft(taker)
    function = function_of(space, giver.graph)
    place = target.statement if target.syntax is not None else None
    statement = place or _last(function.body)
    space.edit([inserted_before(space.text, statement, [_call_line(space, giver.graph, node)])])


def _call_line(space: Workspace, graph: str, node: Draft, port: int = 0, text: str = "...") -> str:
    function = function_of(space, graph)
    values = []
    for number, item in enumerate(node.inputs):
        if number == port:
            values.append(text)
        elif item.required:
            values.append("...")
    name = variable_for(space, graph, None, body_of(function)[0])
    if text.isidentifier() and not is_read_later(function, text, _last(function.body)):
        name = text
    return f"{name} = self.{node.path}({', '.join(values)})"


def _call_with(space: Workspace, giver: Handle, port: int, taker: Handle, number: int) -> None:
    """Call a member for the first time, with the value of another node."""
    function = function_of(space, taker.graph)
    given = space.draft(giver)
    if given.kind not in MEMBER_TENSORS and is_nested(given):
        hoist(space, giver)
        function, given = function_of(space, taker.graph), space.draft(giver)
    drawing = space.drawing(taker.graph)
    last = _last(function.body)
    if given.kind in MEMBER_TENSORS:
        text: str | None = expression_of(space, given)
    else:
        text = variable_at(drawing, Source(given, port), last)
    if text is not None and isinstance(last, ast.Return):
        line = _call_line(space, taker.graph, space.draft(taker), number, text)
        space.edit([inserted_before(space.text, last, [line])])
    elif given.kind is NodeKind.INPUT or given.statement is None:
        line = _call_line(space, taker.graph, space.draft(taker), number, given.outputs[port])
        space.edit([inserted_before(space.text, body_of(function)[0], [line])])
    else:
        value = text or given.outputs[port]
        line = _call_line(space, taker.graph, space.draft(taker), number, value)
        space.edit([inserted_after(space.text, given.statement, [line])])


def _last(body: list[ast.stmt]) -> ast.stmt:
    return body[-1]
