"""Edits for gradients that are zero, tiny or huge, and for losses that were made leaves."""

import ast

from paramscope.check.mends.place import (
    Mends,
    Place,
    calls_of,
    last_name,
    parenthesized,
    place_of,
    spelling,
)
from paramscope.code.syntax import FunctionNode
from paramscope.code.text_edit import Edit
from paramscope.rules.finding import Finding

_LARGE = 100.0  # a constant factor above which a loss is scaled
_SATURATING = ("Sigmoid", "Tanh", "sigmoid", "tanh")
_STEEP = {"Sigmoid": ("ReLU", "LeakyReLU"), "sigmoid": ("relu",)}
_STEEP |= {"Tanh": _STEEP["Sigmoid"], "tanh": _STEEP["sigmoid"]}


def choose_along_another_axis(finding: Finding, source: str) -> Mends:
    """A softmax over one value is 1 whatever the value: choose along another axis."""
    place = place_of(finding, source)
    for call in calls_of(place.tree, "softmax", "log_softmax", "Softmax", "LogSoftmax"):
        given = [item.value for item in call.keywords if item.arg == "dim"]
        for axis in given or call.args[-1:]:
            for other in ("-1", "1", "0", "2"):
                if place.written(axis) != other:
                    yield f"Use dim={other}", place.edited(place.swap(axis, other))


def begin_near_zero(finding: Finding, source: str) -> Mends:
    """Biases that keep every unit shut: begin with zeros."""
    place = place_of(finding, source)
    for call in calls_of(place.tree, "constant_", "fill_"):
        target = call.args[0] if last_name(call.func) == "constant_" and call.args else call
        names = {node.attr for node in ast.walk(target) if isinstance(node, ast.Attribute)}
        if "bias" in names and call.args:
            yield "Begin with zeros", place.edited(place.swap(call.args[-1], "0.0"))


def begin_one_factor(finding: Finding, source: str) -> Mends:
    """Two factors that are both zero keep each other there: begin one with random values."""
    normal, after = spelling(source, "torch.nn.init.normal_")
    if after == source:
        place = place_of(finding, source)
        for call in calls_of(place.tree, "zeros_"):
            if len(call.args) == 1:
                text = f"{normal}({place.written(call.args[0])}, std=0.02)"
                yield "Begin one factor with random values", place.edited(place.swap(call, text))
    place = place_of(finding, source)
    for call in calls_of(place.tree, "Parameter"):
        for zeros in calls_of(call, "zeros"):
            _, end = place.text.node_range(zeros.func)
            edit = Edit(end - len("zeros"), end, "randn")
            yield "Begin one factor with random values", place.edited(edit)


def use_steeper_units(finding: Finding, source: str) -> Mends:
    """A deep stack of sigmoids lets no gradient through: use ReLU, or something between."""
    place = place_of(finding, source)
    calls = list(calls_of(place.tree, *_SATURATING))
    for number in range(2):
        edits = []
        for call in calls:
            old = last_name(call.func)
            choices = _STEEP[old]
            _, end = place.text.node_range(call.func)
            edits.append(Edit(end - len(old), end, choices[min(number, len(choices) - 1)]))
        if edits:
            yield "Use ReLU" if number == 0 else "Use LeakyReLU", place.edited(*edits)


def drop_the_scale(finding: Finding, source: str) -> Mends:
    """A large constant factor makes gradients explode: leave it out."""
    place = place_of(finding, source)
    for node in ast.walk(place.tree):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
            continue
        for factor, kept in ((node.right, node.left), (node.left, node.right)):
            value = factor.value if isinstance(factor, ast.Constant) else None
            if isinstance(value, int | float) and abs(value) >= _LARGE:
                text = place.written(kept)
                yield (
                    f"Drop the factor {place.written(factor)}",
                    place.edited(place.swap(node, text)),
                )


def choose_softly(finding: Finding, source: str) -> Mends:
    """A comparison or rounding has no slope: use a soft one, or let the gradient pass by it."""
    place = place_of(finding, source)
    sigmoid, after = spelling(source, "torch.sigmoid")
    for node in ast.walk(place.tree) if after == source else ():
        if isinstance(node, ast.Call) and last_name(node.func) in ("float", "to", "type"):
            inner = node.func.value if isinstance(node.func, ast.Attribute) else None
            if isinstance(inner, ast.Compare) and len(inner.ops) == 1:
                text = _difference(place, inner)
                yield "Use a sigmoid", place.edited(place.swap(node, f"{sigmoid}({text})"))
    yield from _straight_through(place)
    yield from _soft_choice(place)


def _difference(place: Place, node: ast.Compare) -> str:
    left, right = node.left, node.comparators[0]
    if isinstance(node.ops[0], ast.Lt | ast.LtE):
        left, right = right, left
    if isinstance(right, ast.Constant) and right.value == 0:
        return place.written(left)
    return f"{place.written(left)} - {parenthesized(place.written(right), right)}"


def _straight_through(place: Place) -> Mends:
    """Give ``x + (round(x) - x).detach()``: the value of the step, the slope of ``x``."""
    for call in calls_of(place.tree, "round", "sign", "floor", "ceil"):
        is_function = bool(call.args) and isinstance(call.func, ast.Attribute)
        inner = call.args[0] if is_function else None
        if inner is None and isinstance(call.func, ast.Attribute):
            inner = call.func.value
        if inner is None:
            continue
        value = parenthesized(place.written(inner), inner)
        text = f"({value} + ({place.written(call)} - {value}).detach())"
        yield "Let the gradient pass straight through", place.edited(place.swap(call, text))


def _soft_choice(place: Place) -> Mends:
    """``one_hot(argmax(x))`` gives one share in all; ``softmax(x)`` gives each its own."""
    for call in calls_of(place.tree, "one_hot"):
        for chosen in calls_of(call, "argmax"):
            owner = chosen.func.value if isinstance(chosen.func, ast.Attribute) else None
            is_method = owner is not None and last_name(owner) not in ("torch", "F")
            scores = owner if is_method and owner is not None else chosen.args[0]
            text = f"{parenthesized(place.written(scores), scores)}.softmax(-1)"
            yield "Use softmax", place.edited(place.swap(call, text))


def leave_the_loss_alone(finding: Finding, source: str) -> Mends:
    """``loss.requires_grad = True`` hides that nothing can learn: drop it, and what cut it off."""
    place = place_of(finding, source)
    for function in ast.walk(place.tree):
        if not isinstance(function, FunctionNode):
            continue
        statements = [s for s in ast.walk(function) if isinstance(s, ast.Assign)]
        edits = [place.without_lines(s) for s in statements if _makes_leaf(s)]
        edits += _asked_for(place, function)
        if not edits:
            continue
        label = "Drop requires_grad, and no_grad around the loss"
        freed = [*edits, *_freed(place, function)]
        if len(freed) > len(edits):
            yield label, place.edited(*freed)
        cuts = _uncut(place, function)
        if cuts:
            yield "Drop requires_grad, and what cuts the loss off", place.edited(*edits, *cuts)


def _makes_leaf(node: ast.Assign) -> bool:
    target = node.targets[0]
    return isinstance(target, ast.Attribute) and target.attr == "requires_grad"


def _asked_for(place: Place, function: ast.AST) -> list[Edit]:
    edits = []
    for call in calls_of(function, "requires_grad_"):
        if isinstance(call.func, ast.Attribute):
            _, start = place.text.node_range(call.func.value)
            _, end = place.text.node_range(call)
            edits.append(Edit(start, end, ""))
    return edits


def _freed(place: Place, function: ast.AST) -> list[Edit]:
    """Return the edits that take the blocks of ``no_grad`` in a function one level up."""
    edits = []
    for block in ast.walk(function):
        if not isinstance(block, ast.With) or len(block.items) != 1:
            continue
        switch = block.items[0].context_expr
        called = switch.func if isinstance(switch, ast.Call) else switch
        if last_name(called) not in ("no_grad", "inference_mode"):
            continue
        if block.body[0].lineno == block.lineno:
            continue
        text = place.text
        depth = len(text.indentation(block.body[0].lineno)) - len(text.indentation(block.lineno))
        edits.append(Edit(text.line_start(block.lineno), text.line_start(block.lineno + 1), ""))
        for number in range(block.lineno + 1, (block.end_lineno or block.lineno) + 1):
            start = text.line_start(number)
            edits.append(Edit(start, start + depth, ""))
    return edits


def _uncut(place: Place, function: ast.AST) -> list[Edit]:
    """Return the edits that drop ``.item()``, ``.detach()`` and ``torch.tensor(...)`` around."""
    edits = []
    for call in calls_of(function, "item", "detach", "tolist"):
        if isinstance(call.func, ast.Attribute) and not call.args:
            _, start = place.text.node_range(call.func.value)
            _, end = place.text.node_range(call)
            edits.append(Edit(start, end, ""))
    for call in calls_of(function, "tensor"):
        inner = call.args[0] if len(call.args) == 1 else None
        if isinstance(inner, ast.Call | ast.Name | ast.Attribute):
            start, end = place.text.node_range(call)
            first, last = place.text.node_range(inner)
            edits += [Edit(start, first, ""), Edit(last, end, "")]
    return edits
