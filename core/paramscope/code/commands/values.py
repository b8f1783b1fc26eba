"""Making a value of the graph readable by name where a statement wants it."""

import ast
import builtins
import keyword
from collections.abc import Iterable

from paramscope.code.commands.sequence import ORDER
from paramscope.code.commands.statements import body_of, inserted_after, inserted_before
from paramscope.code.commands.workspace import Handle, Workspace, refuse
from paramscope.code.draft import Draft, Source
from paramscope.code.graph import NodeKind, PortRef
from paramscope.code.parse import Drawing
from paramscope.code.syntax import FunctionNode, walk
from paramscope.code.text_edit import Edit

MEMBER_TENSORS = (NodeKind.PARAMETER, NodeKind.BUFFER, NodeKind.TENSOR)


def function_of(space: Workspace, graph: str) -> FunctionNode:
    """The function that a graph draws; refuses where there is none to edit."""
    drawing = space.drawing(graph)
    if not graph:
        refuse("The wires of the program are what `loss` and `optimizer` take; edit their code.")
    if drawing.sequence is not None:
        refuse(ORDER)
    if drawing.function is None:
        refuse(f"`{graph}` has no forward of its own. Add `def forward(self, x):` to the class.")
    return drawing.function


def fresh_name(wanted: str, taken: Iterable[str], first: int = 2) -> str:
    """``wanted``, or ``wanted2``, ``wanted3`` ... if that is taken."""
    used = {*taken, *keyword.kwlist}
    name = wanted
    while name in used:
        name = f"{wanted}{first}"
        first += 1
    return name


def names_in(space: Workspace, function: FunctionNode) -> set[str]:
    """Every name that a new variable of a function must not take."""
    names = {node.id for node in walk(function) if isinstance(node, ast.Name)}
    names |= {node.arg for node in walk(function) if isinstance(node, ast.arg)}
    return names | space.analysis.context.globals


def variable_at(drawing: Drawing, source: Source, statement: ast.stmt) -> str | None:
    """A variable that holds the value before a statement, or None."""
    for name, value in drawing.before.get(statement, {}).items():
        if isinstance(value, Source) and (value.node, value.port) == (source.node, source.port):
            if name.isidentifier():
                return name
    return None


def readers(drawing: Drawing, node: Draft, port: int | None = None) -> list[tuple[Draft, int]]:
    """The inputs that a node's output goes to, as (node, input number)."""
    return [
        (draft, number)
        for draft in drawing.drafts.values()
        for number, item in enumerate(draft.inputs)
        if isinstance(item.value, Source)
        and item.value.node is node
        and (port is None or item.value.port == port)
    ]


def depends_on(node: Draft, other: Draft) -> bool:
    """Whether a node's value is computed from another's, over however many wires."""
    seen: set[int] = set()
    stack = [node]
    while stack:
        draft = stack.pop()
        if draft is other:
            return True
        if id(draft) not in seen:
            seen.add(id(draft))
            stack += [item.value.node for item in draft.inputs if isinstance(item.value, Source)]
    return False


def is_read_later(function: FunctionNode, name: str, statement: ast.stmt, *parts: ast.AST) -> bool:
    """Whether a variable is read behind a statement, or in it outside of ``parts``."""
    body = body_of(function)
    place = next((index for index, item in enumerate(body) if item is statement), 0)
    inside = {id(node) for part in parts for node in walk(part)}
    return any(
        isinstance(node, ast.Name)
        and node.id == name
        and id(node) not in inside
        and not isinstance(node.ctx, ast.Store)
        for item in body[place:]
        for node in walk(item)
    )


def variable_for(
    space: Workspace, graph: str, expression: ast.expr | None, statement: ast.stmt
) -> str:
    """A name for a new value: the one it is made of if nobody needs that any more, else new."""
    function = function_of(space, graph)
    if expression is not None:
        names = {
            node.id
            for node in walk(expression)
            if isinstance(node, ast.Name) and node.id in space.drawing(graph).before[statement]
        }
        if len(names) == 1:
            name = names.pop()
            if not is_read_later(function, name, statement, expression):
                return name
    return fresh_name("h", {*names_in(space, function), *dir(builtins)})


def hoist(space: Workspace, handle: Handle, name: str | None = None) -> None:
    """Give a nested expression a statement and a variable of its own."""
    node = space.draft(handle)
    expression, statement = node.syntax, node.statement
    if not isinstance(expression, ast.expr) or statement is None:
        refuse(f"`{node.title}` is written code; edit its text.")
    name = name or variable_for(space, handle.graph, expression, statement)
    start, end = space.text.node_range(expression)
    if isinstance(statement, ast.Expr) and statement.value is expression:
        space.edit([Edit(start, start, f"{name} = ")])
        return
    value = space.text.text(expression)
    if "\n" in value or "\r" in value:
        value = f"({value})" if not value.endswith(")") else value
    space.edit(
        [inserted_before(space.text, statement, [f"{name} = {value}"]), Edit(start, end, name)]
    )


def is_nested(node: Draft) -> bool:
    """Whether a node's value stands in a larger expression and has no variable yet."""
    return isinstance(node.syntax, ast.expr) and not node.targets


def expression_of(space: Workspace, node: Draft) -> str:
    """How a member tensor is read."""
    if isinstance(node.syntax, ast.expr):
        return space.text.text(node.syntax)
    return f"self.{node.path}"


def readable(space: Workspace, handle: Handle, port: int, target: Handle) -> str:
    """Return an expression for an output that can be read before the target's statement.

    Nested expressions are hoisted into a variable; a variable that is overwritten on the way
    gets a second name where it is still whole.
    """
    node = space.draft(handle)
    if node.kind in MEMBER_TENSORS:
        return expression_of(space, node)
    if port >= len(node.outputs):
        refuse(f"`{node.title}` has no output number {port + 1}.")
    statement = space.draft(target).statement
    if statement is None:
        refuse(f"`{target.id}` is not called yet.")
    for attempt in range(3):
        node = space.draft(handle)
        drawing = space.drawing(handle.graph)
        statement = space.draft(target).statement
        assert statement is not None
        found = variable_at(drawing, Source(node, port), statement)
        if found is not None:
            return found
        if attempt == 0 and is_nested(node):
            hoist(space, handle)
        else:
            alias(space, handle, port)
    refuse(f"`{handle.id}` cannot be read there; give it a variable of its own in the code.")


def alias(space: Workspace, handle: Handle, port: int) -> None:
    """Give a value a second name right behind the statement that makes it."""
    node = space.draft(handle)
    function = function_of(space, handle.graph)
    old = node.outputs[port]
    if not old.isidentifier():
        refuse(f"`{old}` is written in place; edit the code.")
    wanted = f"{old}_in" if node.kind is NodeKind.INPUT else f"{old}_{node.base.split('.')[-1]}"
    if not wanted.isidentifier():
        wanted = f"{old}_kept"
    line = f"{fresh_name(wanted, names_in(space, function))} = {old}"
    if node.kind is NodeKind.INPUT:
        space.edit([inserted_before(space.text, body_of(function)[0], [line])])
    elif node.statement is not None:
        space.edit([inserted_after(space.text, node.statement, [line])])


def reference(space: Workspace, graph: str, port: PortRef) -> tuple[Handle, int]:
    """A handle for the node of a port, with the port's number."""
    return space.handle(graph, port.node), port.port
