"""Edits for losses, optimizers and training steps."""

import ast
from collections.abc import Iterator

from paramscope.check.mends.place import (
    Mends,
    Place,
    calls_of,
    expression_statements,
    first_statement,
    last_name,
    moved,
    parenthesized,
    path_expression,
    place_of,
    spelling,
)
from paramscope.code.call_text import CallText
from paramscope.code.syntax import FunctionNode
from paramscope.code.text_edit import Edit
from paramscope.rules.finding import Finding


def step_it_too(finding: Finding, source: str) -> Mends:
    """Tensors in no optimizer: give them to it, beside what it has."""
    place = place_of(finding, source)
    for call, model in optimizer_calls(place):
        given = call.args[0]
        path = path_expression(model, finding.where)
        if finding.where == "model":
            path = model
        label = f"Give {finding.where} to the optimizer"
        for added in (path, f"*{path}.parameters()"):
            yield label, place.edited(*with_group(place, given, added))
    yield from step_everything(finding, source)


def with_group(place: Place, given: ast.expr, added: str) -> list[Edit]:
    """Add to what an optimizer is given: a group to groups, a tensor to tensors."""
    elements = given.elts if isinstance(given, ast.List) else []
    if not elements:
        start, end = place.text.node_range(given)
        return [Edit(start, start, "[*"), Edit(end, end, f", {added}]")]
    if all(isinstance(element, ast.Dict) for element in elements):
        added = f'{{"params": [{added}]}}'
    _, last = place.text.node_range(elements[-1])
    return [Edit(last, last, f", {added}")]


def step_everything(finding: Finding, source: str) -> Mends:
    """An optimizer with nothing, too little or doubles in it: give it the model's Parameters."""
    place = place_of(finding, source)
    for call, model in optimizer_calls(place):
        text = f"{model}.parameters()"
        label = "Give the optimizer model.parameters()"
        yield label, place.edited(place.swap(call.args[0], text))


def optimizer_calls(place: Place) -> Iterator[tuple[ast.Call, str]]:
    """Give the calls in ``optimizer(model)`` that make one, with the model's name there."""
    function = place.function("optimizer")
    if function is None or not function.args.args:
        return
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and node.args and last_name(node.func)[:1].isupper():
            yield node, function.args.args[0].arg


def clear_before_backward(finding: Finding, source: str) -> Mends:
    """Gradients that pile up, or are cleared too late: clear them right before ``backward``."""
    place = place_of(finding, source)
    for node in ast.walk(place.tree):
        if isinstance(node, FunctionNode):
            yield from _cleared_in_time(place, node)
    function = place.function("train_step")
    backward = next(expression_statements(function, "backward"), None) if function else None
    if function is None or backward is None:
        return
    names = [argument.arg for argument in function.args.args]
    for name in names[1:2] + names[:1]:
        edit = place.line_before(backward, f"{name}.zero_grad()")
        yield "Clear before backward", place.edited(edit)


def _cleared_in_time(place: Place, function: FunctionNode) -> Mends:
    """What clears behind a ``backward`` in the same block is put before it."""
    for backward in expression_statements(function, "backward"):
        late = [s for s in function.body if s.lineno > backward.lineno and _clears(s)]
        for statement in late if backward in function.body else ():
            edits = (
                place.line_before(backward, place.whole(statement)),
                place.without_lines(statement),
            )
            yield "Clear before backward", place.edited(*edits)


def _clears(statement: ast.stmt) -> bool:
    """Tell whether a statement is ``zero_grad()``, or a loop that sets each ``grad`` to None."""
    if isinstance(statement, ast.For):
        return len(statement.body) == 1 and any(
            isinstance(node, ast.Attribute)
            and node.attr == "grad"
            and isinstance(node.ctx, ast.Store)
            for node in ast.walk(statement.body[0])
        )
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Call) and last_name(value.func) == "zero_grad"


def train_first(finding: Finding, source: str) -> Mends:
    """Training goes on in eval mode: switch back at the start of the step."""
    place = place_of(finding, source)
    for name in ("train_step", "loss"):
        function = place.function(name)
        if function is not None and function.args.args:
            line = f"{function.args.args[0].arg}.train()"
            edit = place.line_before(first_statement(function), line)
            yield f"Call {line} first", place.edited(edit)


def follow_the_mode(finding: Finding, source: str) -> Mends:
    """Dropout that does not know of eval mode: pass ``self.training``."""
    place = place_of(finding, source)
    for call in calls_of(place.tree, "dropout", "dropout2d", "dropout1d", "alpha_dropout"):
        given = [item for item in call.keywords if item.arg == "training"]
        label = "Follow the model's mode"
        if given:
            yield label, place.edited(place.swap(given[0].value, "self.training"))
        elif len(call.args) > 2:
            yield label, place.edited(place.swap(call.args[2], "self.training"))
        else:
            _, end = place.text.node_range(call)
            yield label, place.edited(Edit(end - 1, end - 1, ", training=self.training"))


def attend_by_mode(finding: Finding, source: str) -> Mends:
    """``scaled_dot_product_attention(..., dropout_p=p)`` drops in every mode: only in training."""
    place = place_of(finding, source)
    for call in calls_of(place.tree, "scaled_dot_product_attention"):
        for item in call.keywords:
            if item.arg == "dropout_p":
                text = f"{place.written(item.value)} if self.training else 0.0"
                yield "Follow the model's mode", place.edited(place.swap(item.value, text))


def drop_by_function(finding: Finding, source: str) -> Mends:
    """``nn.Dropout(p)(h)`` in ``forward`` is made anew, never in eval mode: call the function."""
    name, after = spelling(source, "torch.nn.functional.dropout")
    place = place_of(moved(finding, source, after), after)
    for call in ast.walk(place.tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Call) and call.args:
            made = call.func
            if last_name(made.func) == "Dropout":
                rate = place.written(made.args[0]) if made.args else "0.5"
                text = f"{name}({place.written(call.args[0])}, {rate}, self.training)"
                yield "Follow the model's mode", place.edited(place.swap(call, text))


def drop_softmax(finding: Finding, source: str) -> Mends:
    """``cross_entropy`` takes raw scores: give it them."""
    yield from _dropped(finding, source, ("softmax", "log_softmax"), ("Softmax", "LogSoftmax"))


def drop_sigmoid(finding: Finding, source: str) -> Mends:
    """The loss has a sigmoid of its own: give it raw scores."""
    yield from _dropped(finding, source, ("sigmoid",), ("Sigmoid",))


def _dropped(
    finding: Finding, source: str, functions: tuple[str, ...], classes: tuple[str, ...]
) -> Mends:
    place = place_of(finding, source)
    label = f"Drop {functions[0]}"
    for call in calls_of(place.tree, *functions):
        is_method = isinstance(call.func, ast.Attribute) and _is_value(call.func.value)
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        kept = owner if is_method and owner is not None else call.args[0] if call.args else None
        if kept is not None:
            yield label, place.edited(place.swap(call, place.written(kept)))
        if call.args and kept is not call.args[0]:
            yield label, place.edited(place.swap(call, place.written(call.args[0])))
    for call in calls_of(place.tree, *classes):
        holder = _call_around(place, call)
        if holder is not None:
            edits = CallText(place.text, holder).without(call)
            yield label, place.edited(*edits)
        else:
            function = place.written(call.func).rpartition(".")[0]
            identity = f"{function}.Identity()" if function else "Identity()"
            yield label, place.edited(place.swap(call, identity))


def _is_value(node: ast.expr) -> bool:
    """Tell a tensor before a method's name from a module of functions."""
    return not (isinstance(node, ast.Name) and node.id in ("torch", "F", "nn", "functional"))


def _call_around(place: Place, inner: ast.Call) -> ast.Call | None:
    for node in ast.walk(place.tree):
        if isinstance(node, ast.Call) and inner in node.args:
            return node
    return None


def take_the_logarithm(finding: Finding, source: str) -> Mends:
    """``nll_loss`` takes logarithms of probabilities: use ``log_softmax``."""
    place = place_of(finding, source)
    renamed = {"softmax": "log_softmax", "Softmax": "LogSoftmax", "nll_loss": "cross_entropy"}
    renamed["NLLLoss"] = "CrossEntropyLoss"
    for call in calls_of(place.tree, *renamed):
        old = last_name(call.func)
        _, end = place.text.node_range(call.func)
        edit = Edit(end - len(old), end, renamed[old])
        yield f"Use {renamed[old]}", place.edited(edit)


def match_the_shapes(finding: Finding, source: str) -> Mends:
    """Prediction and target that only agree by broadcasting: give them one shape."""
    place = place_of(finding, source)
    statement = place.statement()
    for node in ast.walk(statement) if statement is not None else ():
        pair: list[ast.expr] = []
        if isinstance(node, ast.Call) and len(node.args) >= 2:
            pair = node.args[:2]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            pair = [node.left, node.right]
        for label, method in (("Drop", ".squeeze(-1)"), ("Add", ".unsqueeze(-1)")):
            for part in pair:
                text = f"{parenthesized(place.written(part), part)}{method}"
                yield f"{label} the last axis", place.edited(place.swap(part, text))
    function = place.function("loss") or place.function("train_step")
    if function is None or not function.args.args:
        return
    model, target = function.args.args[0].arg, function.args.args[-1].arg
    for call in calls_of(function, model):
        _, end = place.text.node_range(call)
        yield "Drop the last axis", place.edited(Edit(end, end, ".squeeze(-1)"))
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id == target and isinstance(node.ctx, ast.Load):
            _, end = place.text.node_range(node)
            yield "Add the last axis", place.edited(Edit(end, end, ".unsqueeze(-1)"))
