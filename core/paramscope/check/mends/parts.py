"""Edits for parts of a model that are frozen, left out, decayed, or put in each other's place."""

import ast
from collections.abc import Iterator

from paramscope.check.mends.place import (
    Mends,
    Place,
    calls_of,
    expression_statements,
    is_of_self,
    place_of,
    spelling,
)
from paramscope.check.mends.training import optimizer_calls, with_group
from paramscope.code.syntax import FunctionNode
from paramscope.rules.finding import Finding


def unfreeze_the_head(finding: Finding, source: str) -> Mends:
    """Everything is frozen: let the last layer learn."""
    place = place_of(finding, source)
    for cls in place.tree.body:
        if not isinstance(cls, ast.ClassDef):
            continue
        for head in reversed(_layers_of(cls)):
            yield from _unfrozen(place, cls, head)


def _layers_of(cls: ast.ClassDef) -> list[str]:
    """Return the attributes that ``__init__`` gives a call's result, as layers are made."""
    methods = (item for item in cls.body if isinstance(item, FunctionNode))
    init = next((method for method in methods if method.name == "__init__"), None)
    found = []
    for node in init.body if init is not None else ():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            target = node.targets[0]
            if isinstance(target, ast.Attribute) and is_of_self(target, target.attr):
                found.append(target.attr)
    return found


def _unfrozen(place: Place, cls: ast.ClassDef, head: str) -> Mends:
    label = f"Unfreeze {head}"
    build = place.function("build")
    last = build.body[-1] if build is not None else None
    if isinstance(last, ast.Return) and isinstance(last.value, ast.Name):
        line = f"{last.value.id}.{head}.requires_grad_(True)"
        yield label, place.edited(place.line_before(last, line))
    for method in cls.body:
        if isinstance(method, FunctionNode) and method.name == "__init__":
            line = f"self.{head}.requires_grad_(True)"
            yield label, place.edited(place.line_after(method.body[-1], line))


def decay_it_not(finding: Finding, source: str) -> Mends:
    """Nothing but weight decay moves it: give it a group of its own, without decay."""
    place = place_of(finding, source)
    for call, model in optimizer_calls(place):
        prefix = f'"{finding.where}"'
        named = f"for n, p in {model}.named_parameters()"
        depth = place.text.indentation(call.lineno)
        newline = place.text.newline(call.lineno) + depth + "    "
        kept = f'{{"params": [p {named} if not n.startswith({prefix})]}},'
        rest = f'{{"params": [p {named} if n.startswith({prefix})], "weight_decay": 0.0}},'
        text = f"[{newline}{kept}{newline}{rest}{place.text.newline(call.lineno)}{depth}]"
        yield (
            f"Leave {finding.where} out of the decay",
            place.edited(place.swap(call.args[0], text)),
        )


def step_the_other(finding: Finding, source: str) -> Mends:
    """One optimizer is stepped twice and another never, or none at all: step each once."""
    place = place_of(finding, source)
    function = place.function("train_step")
    if function is None:
        return
    steps = list(expression_statements(function, "step"))
    stepped = [_owner(place, statement) for statement in steps]
    cleared = [_owner(place, s) for s in expression_statements(function, "zero_grad")]
    waiting = [name for name in (*cleared, *_unpacked(function)) if name not in stepped]
    for number, statement in enumerate(steps):
        for name in dict.fromkeys(waiting):
            if stepped[number] in stepped[:number]:
                edit = place.swap(statement, f"{name}.step()")
                yield f"Step {name}", place.edited(edit)
    backward = list(expression_statements(function, "backward"))
    names = [argument.arg for argument in function.args.args]
    for name in dict.fromkeys((*waiting, *names[1:2])):
        for statement in reversed(steps + backward):
            edit = place.line_after(statement, f"{name}.step()")
            yield f"Step {name}", place.edited(edit)


def _owner(place: Place, statement: ast.Expr) -> str:
    """Return what a statement calls a method of, as it is written."""
    call = statement.value
    owner = call.func.value if isinstance(call, ast.Call) else None  # type: ignore[attr-defined]  # a method's call
    return place.written(owner) if owner is not None else ""


def _unpacked(function: FunctionNode) -> Iterator[str]:
    """Give the names that a function takes its optimizers apart into."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            if isinstance(node.value, ast.Name):
                yield from (e.id for e in node.targets[0].elts if isinstance(e, ast.Name))


def step_what_is_outside(finding: Finding, source: str) -> Mends:
    """The loss trains something beside the model: give it to the optimizer as well."""
    place = place_of(finding, source)
    name = finding.where.partition(".")[0]
    for call, _ in optimizer_calls(place):
        for added in (name, f"*{name}.parameters()"):
            edits = with_group(place, call.args[0], added)
            yield f"Give {name} to the optimizer", place.edited(*edits)


def keep_them_all(finding: Finding, source: str) -> Mends:
    """A loop that overwrites one attribute: gather its layers, one after the other."""
    for kind in ("Sequential", "ModuleList"):
        made, after = spelling(source, f"torch.nn.{kind}")
        if after != source:
            continue
        place = place_of(finding, source)
        statement = place.statement()
        loop = _loop_around(place, statement)
        if loop is None or statement is None:
            return
        for value, target in _assigned(place, statement):
            edits = [
                place.line_before(loop, f"{target} = {made}()"),
                place.swap(statement, f"{target}.append({value})"),
            ]
            yield f"Keep them in nn.{kind}", place.edited(*edits)


def _assigned(place: Place, statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """Give what a statement makes a child of a Module, and where it puts it, as written."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        yield place.written(statement.value), place.written(statement.targets[0])
    for call in calls_of(statement, "add_module", "register_module"):
        name = call.args[0] if len(call.args) == 2 else None
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            continue
        if isinstance(call.func, ast.Attribute):
            owner = place.written(call.func.value)
            yield place.written(call.args[1]), f"{owner}.{name.value}"


def _loop_around(place: Place, statement: ast.stmt | None) -> ast.For | ast.While | None:
    found = None
    for node in ast.walk(place.tree):
        if isinstance(node, ast.For | ast.While) and statement is not None:
            if node.lineno <= statement.lineno <= (node.end_lineno or 0):
                found = node
    return found
