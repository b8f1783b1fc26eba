"""The command that renames a member, a variable or an argument of forward, everywhere."""

import ast
import keyword
from collections.abc import Iterator
from dataclasses import dataclass

from paramscope.code.commands.calls import check_name
from paramscope.code.commands.values import function_of, hoist, is_nested, names_in, readers
from paramscope.code.commands.workspace import Key, Workspace, refuse
from paramscope.code.draft import Draft, Source
from paramscope.code.graph import NodeKind
from paramscope.code.members import ClassInfo, Member, self_name
from paramscope.code.names import statements_of
from paramscope.code.syntax import FunctionNode, walk
from paramscope.code.text_edit import Edit
from paramscope.document.document import Document


@dataclass(frozen=True, slots=True)
class Rename:
    """Rename what a node is called: its attribute, its variable or its argument."""

    graph: str
    node: str
    name: str

    @property
    def label(self) -> str:
        return f"Rename {self.node} to {self.name}"

    def apply(self, document: Document) -> Document:
        """Write the new name wherever the old one means the same thing."""
        space = Workspace(document)
        handle = space.handle(self.graph, self.node)
        node = space.draft(handle)
        name = self.name.strip()
        if not self.graph:
            refuse("The functions of the program have fixed names; rename in the code instead.")
        if space.drawing(self.graph).sequence is not None:
            refuse("The Modules of an nn.Sequential are numbered; they have no names.")
        if node.kind is NodeKind.OUTPUT:
            refuse("The output has no name of its own.")
        if node.path is not None and node.kind is not NodeKind.CODE:
            _rename_member(space, self.graph, node, name)
            return space.document()
        _check_variable(space, self.graph, node, name)
        if node.kind is not NodeKind.CODE and is_nested(node):
            hoist(space, handle, name)
        elif node.kind is NodeKind.INPUT:
            _rename_variable(space, self.graph, node, node.id, name)
        elif len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            _rename_variable(space, self.graph, node, node.targets[0].id, name)
        else:
            refuse(f"`{node.title}` has several names or none; rename them in the code.")
        return space.document()


def _check_variable(space: Workspace, graph: str, node: Draft, name: str) -> None:
    function = function_of(space, graph)
    if not name.isidentifier():
        refuse(f"`{name}` is not a Python name: letters, digits and _ only, no digit first.")
    if keyword.iskeyword(name):
        refuse(f"`{name}` is a word of Python's own; choose another name.")
    if name in names_in(space, function) and node.name != name:
        refuse(f"`{name}` is used in this function already; choose another name.")


def _rename_variable(space: Workspace, graph: str, node: Draft, old: str, name: str) -> None:
    """Rename one value; a variable that holds several only where it holds this one."""
    if old == name:
        return
    function = function_of(space, graph)
    bindings = [part for part in ast.walk(function) if _binds(part, old)]
    if len(bindings) == 1:
        edits = list(_all_uses(space, function, old, name))
    else:
        edits = _uses_of_value(space, graph, node, old, name)
    if node.kind is NodeKind.INPUT:
        edits += _keywords(space, graph, old, name)
    shape = _shape(space, graph)
    space.edit(edits)
    if _shape(space, graph) != shape:
        refuse(f"`{old}` is used under other names too; rename it in the code.")


def _shape(space: Workspace, graph: str) -> list[tuple[tuple[int, int], ...]]:
    """The wires by the numbers of nodes, which names do not change."""
    drafts = list(space.drawing(graph).drafts.values())
    numbers = {id(draft): number for number, draft in enumerate(drafts)}
    return [
        tuple(
            (numbers[id(item.value.node)], item.value.port)
            if isinstance(item.value, Source)
            else (-1, -1)
            for item in draft.inputs
        )
        for draft in drafts
    ]


def _binds(part: ast.AST, name: str) -> bool:
    if isinstance(part, ast.Name):
        return part.id == name and not isinstance(part.ctx, ast.Load)
    if isinstance(part, ast.arg):
        return part.arg == name
    if isinstance(part, ast.Global | ast.Nonlocal):
        return name in part.names
    if isinstance(part, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler):
        return part.name == name
    return isinstance(part, ast.alias) and name in (part.name, part.asname)


def _all_uses(space: Workspace, function: FunctionNode, old: str, name: str) -> Iterator[Edit]:
    for part in ast.walk(function):
        if isinstance(part, ast.Name) and part.id == old:
            yield Edit(*space.text.node_range(part), name)
        elif isinstance(part, ast.arg) and part.arg == old:
            start, _ = space.text.node_range(part)
            yield Edit(start, start + len(old), name)


def _uses_of_value(space: Workspace, graph: str, node: Draft, old: str, name: str) -> list[Edit]:
    """Where one value of a variable is written and read, if all those places are drawn."""
    if node.kind is NodeKind.INPUT:
        assert isinstance(node.syntax, ast.arg)
        start, _ = space.text.node_range(node.syntax)
        edits = [Edit(start, start + len(old), name)]
    else:
        edits = [Edit(*space.text.node_range(node.targets[0]), name)]
    for draft, port in readers(space.drawing(graph), node):
        item = draft.inputs[port]
        writes = item.name in draft.outputs and draft.kind is NodeKind.CODE
        if writes or isinstance(draft.syntax, ast.AugAssign) or not item.reads:
            refuse(f"`{draft.title}` reads `{old}` and writes it again; rename it in the code.")
        for read in item.reads:
            if not isinstance(read, ast.Name) or read.id != old:
                refuse(f"`{old}` is used under other names too; rename it in the code.")
            edits.append(Edit(*space.text.node_range(read), name))
    return edits


def _keywords(space: Workspace, graph: str, old: str, name: str) -> list[Edit]:
    """The keywords ``old=`` in calls of members of the class, when its argument is renamed."""
    owner = space.drawing(graph).owner
    if owner is None or "." in graph:
        return []
    edits = []
    for function, types in _functions(space):
        for part in ast.walk(function):
            if isinstance(part, ast.Call) and _type_of(space, part.func, types) == owner.name:
                for item in part.keywords:
                    if item.arg == old:
                        start, _ = space.text.node_range(item)
                        edits.append(Edit(start, start + len(old), name))
    return edits


def _rename_member(space: Workspace, graph: str, node: Draft, name: str) -> None:
    assert node.path is not None
    old, _, rest = node.path.partition(".")
    owner = space.drawing(graph).owner
    if owner is None or rest:
        refuse(f"`{node.path}` is a part of `{old}` and has no attribute of its own.")
    if name == old:
        return
    check_name(space, owner, name)
    family = _family(space, owner, old)
    edits = []
    for function, types in _functions(space):
        for part in walk(function):
            if isinstance(part, ast.Attribute) and part.attr == old:
                if _type_of(space, part.value, types) in family:
                    _, end = space.text.node_range(part)
                    edits.append(Edit(end - len(old), end, name))
    for info in family.values():
        if name in info.own_members or name in info.own_methods:
            refuse(f"`{info.name}` has a `{name}` already; choose another name.")
        member = info.own_members.get(old)
        if member is not None:
            edits += _registered_names(space, info, old, name)
        for item in info.node.body:  # an annotation of the class body
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                if item.target.id == old:
                    edits.append(Edit(*space.text.node_range(item.target), name))
    space.edit(dict.fromkeys(edits), _renamed_keys(space, family, old, name))


def _renamed_keys(
    space: Workspace, family: dict[str, ClassInfo], old: str, name: str
) -> dict[Key, Key]:
    keys: dict[Key, Key] = {}
    for graph, drawing in space.analysis.drawings.items():
        if drawing.owner is None or drawing.owner.name not in family:
            continue
        sequence = f"{drawing.owner.name}.{old}"
        if drawing.sequence is not None and f"{graph}.".startswith(f"{sequence}."):
            renamed = f"{drawing.owner.name}.{name}{graph[len(sequence) :]}"
            keys |= {(graph, node): (renamed, node) for node in drawing.drafts}
            continue
        for node, draft in drawing.drafts.items():
            path = draft.path
            if path is not None and (path == old or path.startswith(f"{old}.")):
                if node.startswith(old):
                    keys[graph, node] = (graph, name + node[len(old) :])
    return keys


def _family(space: Workspace, owner: ClassInfo, attribute: str) -> dict[str, ClassInfo]:
    """The class that makes an attribute and all classes here that inherit it."""
    classes = space.analysis.context.classes
    roots = {owner.name}
    queue = [owner]
    while queue:
        info = queue.pop()
        for base in info.bases:
            if base in classes and attribute in classes[base].members:
                roots.add(base)
                queue.append(classes[base])
    found = dict.fromkeys(roots)
    changed = True
    while changed:
        changed = False
        for info in classes.values():
            if info.name not in found and any(base in found for base in info.bases):
                found[info.name] = None
                changed = True
    return {name: classes[name] for name in found}


def _registered_names(space: Workspace, info: ClassInfo, old: str, name: str) -> list[Edit]:
    """The strings in ``register_buffer("old", ...)``."""
    edits = []
    for method in info.own_methods.values():
        for part in walk(method):
            if not isinstance(part, ast.Call) or not isinstance(part.func, ast.Attribute):
                continue
            if not part.func.attr.startswith(("register_", "add_module")):
                continue
            values = [*part.args[:1], *(i.value for i in part.keywords if i.arg == "name")]
            for value in values:
                if isinstance(value, ast.Constant) and value.value == old:
                    start, end = space.text.node_range(value)
                    written = space.source[start:end].replace(old, name)
                    edits.append(Edit(start, end, written))
    return edits


def _functions(space: Workspace) -> Iterator[tuple[FunctionNode, dict[str, str]]]:
    """Every function of the file with the classes of its variables, as far as they are plain."""
    context = space.analysis.context
    model = space.analysis.program.model
    for info in context.classes.values():
        for method in info.own_methods.values():
            me = self_name(method)
            yield method, {**({me: info.name} if me else {}), **_made(space, method)}
    for function in context.functions.values():
        types = _made(space, function)
        for argument in function.args.args:
            if argument.arg == "model" and model is not None:
                types["model"] = model
        yield function, types


def _made(space: Workspace, function: FunctionNode) -> dict[str, str]:
    types: dict[str, str] = {}
    resolve = space.analysis.context.imports.resolve
    for part in statements_of(function):
        if isinstance(part, ast.Assign) and isinstance(part.value, ast.Call):
            dotted = resolve(part.value.func)
            if dotted == "build" and space.analysis.program.model is not None:
                dotted = space.analysis.program.model
            if dotted in space.analysis.context.classes:
                for target in part.targets:
                    if isinstance(target, ast.Name):
                        types[target.id] = dotted
    return types


def _type_of(space: Workspace, expression: ast.expr, types: dict[str, str]) -> str | None:
    """The class of the document that an expression like ``self.block`` is an instance of."""
    steps: list[str] = []
    while not isinstance(expression, ast.Name):
        if isinstance(expression, ast.Attribute):
            steps.append(expression.attr)
            expression = expression.value
        elif isinstance(expression, ast.Subscript) and isinstance(expression.slice, ast.Constant):
            steps.append(str(expression.slice.value))
            expression = expression.value
        else:
            return None
    classes = space.analysis.context.classes
    current = types.get(expression.id)
    members: dict[str, Member] | None = classes[current].members if current in classes else None
    for step in reversed(steps):
        member = members.get(step) if members is not None else None
        if member is None:
            return None
        current = member.dotted if member.dotted in classes else None
        members = classes[current].members if current is not None else member.children
    return current
