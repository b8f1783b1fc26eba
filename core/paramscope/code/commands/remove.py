"""The command that deletes nodes, with or without joining what stood around them."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from paramscope.code.commands.sequence import is_sequence_graph, remove_elements
from paramscope.code.commands.statements import block_of, body_of, removed, stands_alone
from paramscope.code.commands.sweep import sweep
from paramscope.code.commands.values import (
    MEMBER_TENSORS,
    function_of,
    hoist,
    is_nested,
    readers,
    variable_at,
)
from paramscope.code.commands.wires import replace_input
from paramscope.code.commands.workspace import Handle, Workspace, refuse
from paramscope.code.draft import Draft, Source
from paramscope.code.graph import NodeKind
from paramscope.code.members import ClassInfo, Member, self_attributes
from paramscope.code.syntax import walk
from paramscope.code.text_edit import Edit
from paramscope.document.document import Document


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete nodes; with ``reconnect`` what fed a node feeds what it fed, else holes stay."""

    graph: str
    nodes: tuple[str, ...]
    reconnect: bool = False

    @property
    def label(self) -> str:
        count = len(self.nodes)
        return f"Delete {self.nodes[0]}" if count == 1 else f"Delete {count} nodes"

    def apply(self, document: Document) -> Document:
        """Take the nodes' calls out of forward and their members out of ``__init__``."""
        space = Workspace(document)
        handles = [space.handle(self.graph, node) for node in dict.fromkeys(self.nodes)]
        if is_sequence_graph(space, self.graph):
            remove_elements(space, self.graph, self.nodes)
            return space.document()
        for handle in handles:
            node = space.draft(handle)
            if node.kind is NodeKind.INPUT:
                refuse(f"`{node.id}` is an argument of forward; change the `def` line in the code.")
            if node.kind is NodeKind.OUTPUT:
                refuse("A graph keeps its output; connect another node to it instead.")
            if node.kind in (NodeKind.DATA, NodeKind.MODEL, NodeKind.LOSS, NodeKind.OPTIMIZER):
                refuse(f"Training needs `{node.name}`; edit its code instead.")
        members = [space.draft(handle) for handle in handles]
        if len(handles) > 1:
            sweep(space, self.graph, handles, self.reconnect)
        for handle in handles:
            if handle.id is not None:
                _delete(space, handle, self.reconnect)
        made = {
            node.member.name: node.member
            for node in members
            if node.member is not None and node.path == node.member.name
        }
        _undefine(space, self.graph, tuple(made.values()))
        return space.document()


def _delete(space: Workspace, handle: Handle, reconnect: bool) -> None:
    node = space.draft(handle)
    if node.kind in MEMBER_TENSORS:
        _open_readers(space, handle)
        return
    if node.syntax is None:
        return
    if not handle.graph:
        _delete_top_level(space, node)
        return
    if reconnect and _bypass(space, handle):
        return
    _keep_arguments(space, handle)
    if isinstance(node.syntax, ast.expr) and is_nested(space.draft(handle)):
        node = space.draft(handle)
        assert isinstance(node.syntax, ast.expr) and node.statement is not None
        if isinstance(node.statement, ast.Expr) and node.statement.value is node.syntax:
            _remove_statement(space, handle.graph, node.statement)
            return
        _open_readers(space, handle)
        node = space.draft(handle) if handle.id is not None else node
        if handle.id is not None and isinstance(node.syntax, ast.expr):  # `a, b = f(x), y`
            space.edit([Edit(*space.text.node_range(node.syntax), "...")])
        return
    _open_readers(space, handle)
    node = space.draft(handle)
    if node.statement is not None:
        _remove_statement(space, handle.graph, node.statement)


def _open_readers(space: Workspace, handle: Handle) -> None:
    """Make every input that takes the node's value a hole."""
    graph = handle.graph
    pending = [
        (space.handle(graph, draft.id), port)
        for draft, port in readers(space.drawing(graph), space.draft(handle))
    ]
    for reader, port in reversed(pending):
        node = space.draft(reader)
        if node.kind is NodeKind.CODE and node.inputs[port].name != "value":
            refuse(
                f"The code `{node.title}` reads `{node.inputs[port].name}`; "
                "edit its text before you delete what it reads."
            )
        replace_input(space, reader, port, "...")


def _bypass(space: Workspace, handle: Handle) -> bool:
    """Let the node's readers read its first input instead; False where that cannot be."""
    node = space.draft(handle)
    wired = [item for item in node.inputs if isinstance(item.value, Source) and item.reads]
    if not wired or not isinstance(node.syntax, ast.expr) or len(node.outputs) > 1:
        return False
    text = space.text.text(wired[0].reads[0])
    statement, target = node.statement, node.targets[0] if node.targets else None
    if isinstance(target, ast.Name) and statement is not None:
        if target.id == text:
            _remove_statement(space, handle.graph, statement)
            return True
        if text.isidentifier() and _rename_readers(space, handle, text):
            return True
    if isinstance(statement, ast.Expr) and statement.value is node.syntax:
        return False
    # In two parts, so that what stands inside is the same as before.
    inner = wired[0].reads[0]
    start, end = space.text.node_range(node.syntax)
    first, last = space.text.node_range(inner)
    plain = isinstance(inner, ast.Name | ast.Call | ast.Attribute | ast.Subscript)
    before, behind = ("", "") if plain else ("(", ")")
    space.edit([Edit(start, first, before), Edit(last, end, behind)])
    return True


def _rename_readers(space: Workspace, handle: Handle, text: str) -> bool:
    """Write another variable where the node's variable is read, and drop the statement."""
    node = space.draft(handle)
    drawing = space.drawing(handle.graph)
    source = next(
        item.value for item in node.inputs if isinstance(item.value, Source) and item.reads
    )
    assert node.statement is not None
    edits = []
    for draft, port in readers(drawing, node):
        item = draft.inputs[port]
        if draft.kind is NodeKind.CODE or draft.statement is None or not item.reads:
            return False
        if variable_at(drawing, source, draft.statement) != text:
            return False
        edits += [Edit(*space.text.node_range(read), text) for read in item.reads]
    function = function_of(space, handle.graph)
    edits.append(removed(space.text, node.statement, block_of(function, node.statement)))
    space.edit(edits)
    return True


def _keep_arguments(space: Workspace, handle: Handle) -> None:
    """Hoist the nodes that are written inside the one that goes."""
    node = space.draft(handle)
    for item in node.inputs:
        if isinstance(item.value, Source) and item.reads and is_nested(item.value.node):
            inner = item.value.node
            if inner.kind not in MEMBER_TENSORS and inner.syntax is item.reads[0]:
                hoist(space, space.handle(handle.graph, inner.id))
                _keep_arguments(space, handle)
                return


def _remove_statement(space: Workspace, graph: str, statement: ast.stmt) -> None:
    function = function_of(space, graph)
    space.edit([removed(space.text, statement, block_of(function, statement))])
    if not body_of(function_of(space, graph)):
        refuse("Nothing would be left of forward.")


def _delete_top_level(space: Workspace, node: Draft) -> None:
    if not isinstance(node.syntax, ast.stmt) or node.statement not in (None, node.syntax):
        if node.statement is None:
            refuse(f"`{node.title}` cannot be deleted here; edit the code.")
    statement = node.syntax if isinstance(node.syntax, ast.stmt) else node.statement
    if statement is None:
        return
    tree = space.analysis.tree
    if len(tree.body) == 1:
        refuse("Nothing would be left of the file.")
    space.edit([removed(space.text, statement, block_of(tree, statement))])


def _undefine(space: Workspace, graph: str, members: Sequence[Member]) -> None:
    """Remove the lines that make members, of those that nothing uses any more."""
    owner = space.drawing(graph).owner
    if owner is None:
        return
    made = [member for member in members if member.name in owner.own_members]
    uses = _uses(space, owner) if made else {}
    unused = [
        owner.own_members[member.name].statement
        for member in made
        if not _is_used(owner.own_members[member.name], uses.get(member.name, ()))
    ]
    blocks = [block_of(owner.node, statement) for statement in unused]
    for statement in unused:
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]
            if len(statement.targets) > 1 or isinstance(target, ast.Tuple | ast.List):
                line = statement.lineno
                refuse(f"Line {line} makes several members at once; edit it in the code.")
    if len(unused) > 1 and not all(
        stands_alone(space.text, statement) and not all(item in unused for item in block)
        for statement, block in zip(unused, blocks, strict=True)
    ):
        for member in members:  # what is left of a line or a block depends on what went before
            _undefine(space, graph, (member,))
        return
    space.edit(
        removed(space.text, statement, block)
        for statement, block in zip(unused, blocks, strict=True)
    )


def _uses(space: Workspace, owner: ClassInfo) -> dict[str, list[tuple[str, ast.Attribute]]]:
    """Where the methods of a class and its heirs read or write each attribute of `self`."""
    uses: dict[str, list[tuple[str, ast.Attribute]]] = {}
    for info in space.analysis.context.classes.values():
        if owner.name not in (info.name, *info.bases):
            continue
        for method_name, method in info.own_methods.items():
            for node in self_attributes(method):
                uses.setdefault(node.attr, []).append((method_name, node))
    return uses


def _is_used(member: Member, uses: Iterable[tuple[str, ast.Attribute]]) -> bool:
    """Whether a method reads a member; refuses where it is ``__init__`` that does."""
    inside = {id(part) for part in walk(member.statement)}
    for method_name, node in uses:
        if id(node) not in inside:
            if method_name != "__init__":
                return True
            refuse(
                f"`self.{member.name}` is also used in line {node.lineno}; delete that line first."
            )
    return False
