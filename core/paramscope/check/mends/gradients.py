"""Edits for gradients that are cut off, never asked for, or asked for in vain."""

import ast

from paramscope.check.mends.place import (
    Mends,
    Place,
    calls_of,
    is_of_self,
    last_name,
    moved,
    parenthesized,
    path_expression,
    place_of,
    spelling,
)
from paramscope.code.syntax import FunctionNode
from paramscope.code.text_edit import Edit
from paramscope.rules.finding import Finding
from paramscope.rules.frz01_misspelt_freeze import RIGHT, is_near

_CUTTING = ("detach", "item", "tolist", "numpy", "detach_")


def keep_the_graph(finding: Finding, source: str) -> Mends:
    """``.detach()``, ``.data``, ``.item()``, ``torch.tensor([...])``: drop what cuts."""
    place = place_of(finding, source)
    statement = place.statement()
    if statement is None:
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and last_name(node.func) in _CUTTING and not node.args:
            if isinstance(node.func, ast.Attribute):
                yield f"Drop .{node.func.attr}()", _cut_behind(place, node.func.value, node)
        elif isinstance(node, ast.Attribute) and node.attr == "data":
            if isinstance(node.ctx, ast.Load):
                yield "Drop .data", _cut_behind(place, node.value, node)
        elif isinstance(node, ast.Call) and last_name(node.func) in ("tensor", "as_tensor"):
            if len(node.args) == 1 and isinstance(node.args[0], ast.List):
                function, after = spelling(source, "torch.stack")
                if after == source:
                    call = f"{function}({place.written(node.args[0])})"
                    yield "Use torch.stack", place.edited(place.swap(node, call))
        elif isinstance(node, ast.Call) and last_name(node.func) in ("float", "int"):
            if isinstance(node.func, ast.Name) and len(node.args) == 1:
                inner = place.written(node.args[0])
                yield f"Drop {node.func.id}()", place.edited(place.swap(node, inner))


def _cut_behind(place: Place, kept: ast.expr, whole: ast.expr) -> str:
    _, start = place.text.node_range(kept)
    _, end = place.text.node_range(whole)
    # Parentheses that close the kept part stand between it and the dot.
    dot = place.source.index(".", start)
    return place.edited(Edit(dot, end, ""))


def leave_no_grad(finding: Finding, source: str) -> Mends:
    """``with torch.no_grad():`` or its decorator around what is to be trained: take it away."""
    place = place_of(finding, source)
    line = finding.line or 0
    for node in ast.walk(place.tree):
        if not isinstance(node, ast.With | FunctionNode):
            continue
        if not node.lineno <= line <= (node.end_lineno or 0):
            continue
        if isinstance(node, ast.With):
            yield from _with_gradients(place, node)
        else:
            yield from _undecorated(place, node)


def _with_gradients(place: Place, block: ast.With) -> Mends:
    if len(block.items) == 1 and _is_switch(block.items[0].context_expr):
        text = _dedented(place, block)
        if text is not None:
            yield "Take the block out of no_grad()", text
    for item in block.items:
        call = item.context_expr
        if isinstance(call, ast.Call) and last_name(call.func) == "set_grad_enabled" and call.args:
            yield "Keep gradients on", place.edited(place.swap(call.args[0], "True"))


def _undecorated(place: Place, function: FunctionNode) -> Mends:
    for decorator in filter(_is_switch, function.decorator_list):
        start = place.text.line_start(decorator.lineno)
        stop = place.text.line_start((decorator.end_lineno or decorator.lineno) + 1)
        yield "Drop the decorator", place.edited(Edit(start, stop, ""))


def _is_switch(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else node
    return last_name(called) in ("no_grad", "inference_mode")


def _dedented(place: Place, block: ast.With) -> str | None:
    """Return the source without the line of ``block``, its body one level up."""
    text = place.text
    first, last = block.body[0], block.body[-1]
    if first.lineno == block.lineno:
        return None  # all in one line
    for node in ast.walk(block):
        if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno != node.lineno:
            return None  # lines of a long string are no code
    depth = len(text.indentation(first.lineno)) - len(text.indentation(block.lineno))
    edits = [Edit(text.line_start(block.lineno), text.line_start(block.lineno + 1), "")]
    # The comments above the first statement move with it.
    for number in range(block.lineno + 1, (last.end_lineno or last.lineno) + 1):
        start = text.line_start(number)
        if text.line(number)[:depth].isspace():
            edits.append(Edit(start, start + depth, ""))
    return place.edited(*edits)


def use_the_result(finding: Finding, source: str) -> Mends:
    """``self.norm(h)`` as a statement of its own: keep what it returns."""
    place = place_of(finding, source)
    names = [part for part in finding.where.split(".") if part.isidentifier()]
    for node in ast.walk(place.tree):
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not call.args:
            continue
        if any(is_of_self(call.func, name) for name in names):
            if isinstance(call.args[0], ast.Name):
                start, _ = place.text.node_range(call)
                edit = Edit(start, start, f"{call.args[0].id} = ")
                yield "Keep the result", place.edited(edit)


def fill(finding: Finding, source: str) -> Mends:
    """``torch.empty`` that nothing fills: initialise it where it is made."""
    for initializer, extra in (("xavier_uniform_", ""), ("normal_", ", std=0.02")):
        name, after = spelling(source, f"torch.nn.init.{initializer}")
        place = place_of(moved(finding, source, after), after)
        for _, assigned in place.assignments(place.attribute):
            line = f"{name}(self.{place.attribute}{extra})"
            yield (
                f"Fill it with nn.init.{initializer}",
                place.edited(place.line_after(assigned, line)),
            )


def fill_the_buffer(finding: Finding, source: str) -> Mends:
    """``register_buffer(name, torch.empty(...))``: make it of known values."""
    place = place_of(finding, source)
    for call in place.buffer_calls():
        for empty in calls_of(call, "empty"):
            _, end = place.text.node_range(empty.func)
            for maker in ("ones", "zeros"):
                edit = Edit(end - len("empty"), end, maker)
                yield f"Make it of {maker}", place.edited(edit)


def spell_the_freeze(finding: Finding, source: str) -> Mends:
    """``p.require_grad = False``: write ``requires_grad``."""
    place = place_of(finding, source)
    edits = []
    for node in ast.walk(place.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if is_near(node.attr):
                _, end = place.text.node_range(node)
                edits.append(Edit(end - len(node.attr), end, RIGHT))
    for call in calls_of(place.tree, "setattr"):
        name = call.args[1] if len(call.args) == 3 else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str) and is_near(name.value):
            edits.append(place.swap(name, f'"{RIGHT}"'))
    if edits:
        yield f"Write {RIGHT}", place.edited(*edits)


def freeze_by_method(finding: Finding, source: str) -> Mends:
    """``module.requires_grad = False``: call ``requires_grad_(False)``."""
    place = place_of(finding, source)
    for node in ast.walk(place.tree):
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            continue
        target = node.targets[0]
        if isinstance(target, ast.Attribute) and target.attr == RIGHT:
            if finding.line in (None, node.lineno):
                owner = place.written(target.value)
                text = f"{owner}.requires_grad_({place.written(node.value)})"
                yield "Call requires_grad_()", place.edited(place.swap(node, text))
    for call in calls_of(place.tree, "setattr"):
        if len(call.args) == 3 and place.written(call.args[1]).strip("\"'") == RIGHT:
            owner, value = parenthesized(place.written(call.args[0]), call.args[0]), call.args[2]
            text = f"{owner}.requires_grad_({place.written(value)})"
            yield "Call requires_grad_()", place.edited(place.swap(call, text))


def rest_in_training(finding: Finding, source: str) -> Mends:
    """A frozen layer whose statistics drift: keep it in eval mode, through ``train()`` too."""
    place = place_of(finding, source)
    attribute = finding.where.partition(".")[0]
    for method, _ in place.assignments(attribute):
        cls = place.class_at(method.lineno)
        if method.name != "__init__" or cls is None:
            continue
        if any(isinstance(item, FunctionNode) and item.name == "train" for item in cls.body):
            continue
        rest = f"{path_expression('self', finding.where)}.eval()"
        depth = place.text.indentation(method.lineno)
        deeper = place.text.indentation(method.body[-1].lineno)
        newline = place.text.newline(method.lineno)
        lines = ["", f"{depth}def train(self, mode=True):", f"{deeper}super().train(mode)"]
        lines += [f"{deeper}{rest}", f"{deeper}return self"]
        end = place.text.line_end(method.end_lineno or method.lineno)
        text = newline.join([f"{newline}{deeper}{rest}", *lines])
        yield "Keep it in eval mode", place.edited(Edit(end, end, text))


def out_of_place(finding: Finding, source: str) -> Mends:
    """An in-place write that backward cannot do without: write ``x = x + ...``."""
    place = place_of(finding, source)
    operators = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
    for node in ast.walk(place.tree):
        if isinstance(node, ast.AugAssign) and type(node.op) in operators:
            target, value = place.written(node.target), place.written(node.value)
            sign = operators[type(node.op)]
            if isinstance(node.value, ast.BinOp | ast.IfExp):
                value = f"({value})"
            text = f"{target} = {target} {sign} {value}"
            yield "Make a new tensor", place.edited(place.swap(node, text))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name.endswith("_") and not name.endswith("__"):
                _, end = place.text.node_range(node.func)
                yield "Make a new tensor", place.edited(Edit(end - 1, end, ""))
    for call in calls_of(place.tree, "ReLU", "LeakyReLU", "ELU", "Dropout"):
        for keyword in call.keywords:
            if keyword.arg == "inplace":
                yield "Make a new tensor", place.edited(place.swap(keyword.value, "False"))


def without_grad(finding: Finding, source: str) -> Mends:
    """A leaf written in place: do it under ``no_grad``."""
    switch, after = spelling(source, "torch.no_grad")
    place = place_of(moved(finding, source, after), after)
    statement = place.statement()
    if statement is None or statement.lineno != statement.end_lineno:
        return
    depth = place.text.indentation(statement.lineno)
    step = "\t" if "\t" in depth else "    "
    newline = place.text.newline(statement.lineno)
    text = f"with {switch}():{newline}{depth}{step}{place.written(statement)}"
    yield "Do it under no_grad()", place.edited(place.swap(statement, text))


def make_it_float(finding: Finding, source: str) -> Mends:
    """A tensor of whole numbers that is to have a gradient: make it of floats."""
    dtype, after = spelling(source, "torch.float32")
    place = place_of(moved(finding, source, after), after)
    statement = place.statement()
    makers = ("tensor", "arange", "randint", "full", "zeros", "ones", "empty")
    sources = [statement] if statement is not None else []
    # What the line takes by name was made above it.
    names = {node.id for part in sources for node in ast.walk(part) if isinstance(node, ast.Name)}
    sources += [
        node
        for node in ast.walk(place.tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in names
    ]
    for call in (call for part in sources for call in calls_of(part, *makers)):
        given = [item for item in call.keywords if item.arg == "dtype"]
        if given:
            yield f"Make it {dtype}", place.edited(place.swap(given[0].value, dtype))
        else:
            _, end = place.text.node_range(call)
            yield f"Make it {dtype}", place.edited(Edit(end - 1, end - 1, f", dtype={dtype}"))
