"""Edits for values that are kept with their history: states, lists of losses, cached results."""

import ast

from paramscope.check.mends.place import (
    Mends,
    Place,
    calls_of,
    first_statement,
    is_of_self,
    last_name,
    parenthesized,
    place_of,
)
from paramscope.code.syntax import FunctionNode
from paramscope.code.text_edit import Edit
from paramscope.rules.finding import Finding

LABEL = "Keep its value alone"
_ADDING = ("append", "appendleft", "add", "insert")


def detach_the_state(finding: Finding, source: str) -> Mends:
    """A state carried over with its graph: keep its value alone."""
    place = place_of(finding, source)
    edits = []
    for method, assigned in place.assignments(place.attribute):
        if method.name != "__init__":
            edits += _detached(place, assigned.value)
    if edits:
        yield LABEL, place.edited(*edits)
    yield from _detached_parts(place)
    for node in ast.walk(place.tree):
        if isinstance(node, ast.Assign) and len(node.targets) > 1:
            if any(is_of_self(target, place.attribute) for target in node.targets):
                name = f"self.{place.attribute}"
                edit = place.line_after(node, f"{name} = {name}.detach()")
                yield LABEL, place.edited(edit)
    yield from _detached_where_added(place)
    yield from _detached_at_the_start(place)


def detach_the_cache(finding: Finding, source: str) -> Mends:
    """A result of ``__init__`` that cannot be copied with the model: keep its value alone."""
    place = place_of(finding, source)
    for method, assigned in place.assignments(place.attribute):
        if method.name == "__init__":
            yield LABEL, place.edited(*_detached(place, assigned.value))


def _detached(place: Place, value: ast.expr) -> list[Edit]:
    start, end = place.text.node_range(value)
    if isinstance(value, ast.BinOp | ast.IfExp | ast.UnaryOp):
        return [Edit(start, start, "("), Edit(end, end, ").detach()")]
    return [Edit(end, end, ".detach()")]


def _detached_parts(place: Place) -> Mends:
    """Where it is one of several results, the others keep their history."""
    names = {place.attribute, *place.finding.where.split(".")}
    for node in ast.walk(place.tree):
        if not isinstance(node, ast.Assign):
            continue
        target, written = node.targets[0], place.written(node.value)
        if isinstance(target, ast.Tuple):
            if any(is_of_self(part, place.attribute) for part in target.elts):
                name = f"self.{place.attribute}"
                for value in (f"{name}.detach()", f"tuple(h.detach() for h in {name})"):
                    yield LABEL, place.edited(place.line_after(node, f"{name} = {value}"))
        elif isinstance(target, ast.Subscript):
            if any(is_of_self(target.value, name) for name in names):
                value = f"{parenthesized(written, node.value)}.detach()"
                yield LABEL, place.edited(place.swap(node.value, value))
        elif is_of_self(target, place.attribute) and isinstance(node.value, ast.Name):
            value = f"tuple(h.detach() for h in {written})"
            yield LABEL, place.edited(place.swap(node.value, value))


def _detached_where_added(place: Place) -> Mends:
    """``self.seen.append(h)``, ``history.append(loss)``: add the value alone."""
    names = {name for name in (place.attribute, *place.finding.where.split(".")) if name}
    for call in calls_of(place.tree, *_ADDING):
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if owner is None or not call.args:
            continue
        is_state = any(is_of_self(owner, name) for name in names)
        is_global = isinstance(owner, ast.Name) and f"`{owner.id}`" in place.finding.message
        if is_state or is_global:
            yield LABEL, place.edited(*_detached(place, call.args[-1]))


def _detached_at_the_start(place: Place) -> Mends:
    """Where the step itself needs its history: cut off what came from the last one."""
    name = f"self.{place.attribute}"
    for cls in ast.walk(place.tree):
        for method in cls.body if isinstance(cls, ast.ClassDef) else ():
            if not isinstance(method, FunctionNode) or method.name == "__init__":
                continue
            if any(
                is_of_self(node, place.attribute) and isinstance(node.ctx, ast.Store)
                for node in ast.walk(method)
                if isinstance(node, ast.Attribute)
            ):
                first = first_statement(method)
                yield (
                    "Cut it off from the last batch",
                    place.edited(place.line_before(first, f"{name} = {name}.detach()")),
                )


def copy_each(finding: Finding, source: str) -> Mends:
    """``[layer for _ in range(n)]`` holds one layer n times: copy it each time."""
    place = place_of(finding, source)
    imports = [node for node in place.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    if not imports:
        return
    has_copy = any(
        isinstance(node, ast.Import) and any(a.name == "copy" and not a.asname for a in node.names)
        for node in imports
    )
    head = [] if has_copy else [place.line_before(imports[0], "import copy")]
    for node in ast.walk(place.tree):
        if not isinstance(node, ast.ListComp | ast.GeneratorExp):
            continue
        if isinstance(node.elt, ast.Name | ast.Attribute):
            names = {last_name(g.target) for g in node.generators}
            if last_name(node.elt) not in names:
                made = f"copy.deepcopy({place.written(node.elt)})"
                yield "Copy it for each", place.edited(*head, place.swap(node.elt, made))
