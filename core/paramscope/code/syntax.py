"""Small questions about syntax trees: names read and bound, elements, targets."""

import ast
from collections.abc import Iterator

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

_CHANGING_METHODS = frozenset(
    {"append", "extend", "insert", "add", "update", "pop", "remove", "clear", "setdefault"}
)
# Where the commonest nodes have nodes below them; of others every field is looked at.
_CHILDREN: dict[type, tuple[str, ...]] = {
    ast.Name: (),
    ast.Constant: (),
    ast.Attribute: ("value",),
    ast.Call: ("func", "args", "keywords"),
    ast.keyword: ("value",),
    ast.BinOp: ("left", "right"),
    ast.Assign: ("targets", "value"),
    ast.Expr: ("value",),
    ast.Return: ("value",),
}


def walk(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes below ``tree`` but contexts and operators; three times as fast as `ast.walk`."""
    stack = [tree]
    pop, push = stack.pop, stack.append
    while stack:
        node = pop()
        yield node
        fields = _CHILDREN.get(node.__class__)
        if fields is None:
            fields = tuple(name for name in node._fields if name not in ("ctx", "op"))
        for name in fields:
            value = getattr(node, name, None)
            if value.__class__ is list:
                if value:
                    stack.extend([item for item in value if isinstance(item, ast.AST)])
            elif isinstance(value, ast.AST):
                push(value)


def elements(expression: ast.expr) -> list[tuple[str, ast.expr]]:
    """The elements of a display with the name of each place: its index or key."""
    if isinstance(expression, ast.Dict):
        return [
            (str(key.value) if isinstance(key, ast.Constant) else "**", item)
            for key, item in zip(expression.keys, expression.values, strict=True)
        ]
    assert isinstance(expression, ast.Tuple | ast.List | ast.Set)
    return [(str(index), item) for index, item in enumerate(expression.elts)]


def operand_names(count: int) -> list[str]:
    """Port names for so many operands."""
    return ["input", "other", *(f"other{number}" for number in range(2, count))][:count]


def is_plain_target(target: ast.Tuple | ast.List) -> bool:
    """Whether all targets of an unpacking are plain variables, however nested."""
    return all(
        isinstance(item, ast.Name)
        or (isinstance(item, ast.Tuple | ast.List) and is_plain_target(item))
        or (isinstance(item, ast.Starred) and isinstance(item.value, ast.Name))
        for item in target.elts
    )


def target_names(target: ast.expr) -> list[ast.Name]:
    """The variables of an unpacking, in order."""
    return [node for node in ast.walk(target) if isinstance(node, ast.Name)]


def loaded_names(statement: ast.AST) -> frozenset[str]:
    """The variables that a piece of code reads."""
    names = set()
    for node in walk(statement):
        kind = node.__class__
        if kind is ast.Name:
            if node.ctx.__class__ is ast.Load:  # type: ignore[attr-defined]  # it is a Name
                names.add(node.id)  # type: ignore[attr-defined]  # likewise
        elif kind is ast.AugAssign and isinstance(node, ast.AugAssign):
            if isinstance(node.target, ast.Name):
                names.add(node.target.id)
    return frozenset(names)


def stored_names(part: ast.AST) -> list[str]:
    """Names that a statement or expression binds in the scope around it, in source order."""
    names: dict[str, None] = {}
    stack: list[ast.AST] = [part]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = None
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            names |= {
                walrus.target.id: None
                for walrus in ast.walk(node)
                if isinstance(walrus, ast.NamedExpr)
            }
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names[node.id] = None
        elif isinstance(node, ast.Expr | ast.Subscript):
            changed = changed_name(node)
            if changed is not None:
                names[changed] = None
        elif isinstance(node, ast.alias):
            names[(node.asname or node.name).split(".")[0]] = None
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names[node.name] = None
        stack.extend(reversed(list(ast.iter_child_nodes(node))))
    return list(names)


def changed_name(part: ast.AST) -> str | None:
    """The variable that ``out.append(x)``, ``h.add_(1)`` or ``h[0] = x`` changes in place."""
    if isinstance(part, ast.Subscript):
        place: ast.expr = part
        if isinstance(part.ctx, ast.Load):
            return None
        while isinstance(place, ast.Subscript):
            place = place.value
        return place.id if isinstance(place, ast.Name) else None
    if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
        function = part.value.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            name = function.attr
            in_place = name.endswith("_") and not name.startswith("_")
            if name in _CHANGING_METHODS or in_place:
                return function.value.id
    return None
