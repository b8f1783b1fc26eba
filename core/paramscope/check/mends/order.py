"""Edits for what is done too late, too early, or with numbers that leave nothing to learn from."""

import ast
from collections.abc import Iterator

from paramscope.check.mends.place import (
    Mends,
    Place,
    calls_of,
    expression_statements,
    last_name,
    parenthesized,
    place_of,
    spelling,
)
from paramscope.check.mends.training import optimizer_calls
from paramscope.code.syntax import FunctionNode
from paramscope.code.text_edit import Edit
from paramscope.rules.finding import Finding

_EPSILON = "1e-8"


def make_it_in_init(finding: Finding, source: str) -> Mends:
    """A layer or Parameter made in ``forward``: make it once, in ``__init__``."""
    place = place_of(finding, source)
    statement = place.statement()
    cls = place.class_at(finding.line) if finding.line is not None else None
    methods = [m for m in cls.body if isinstance(m, FunctionNode)] if cls is not None else []
    init = next((method for method in methods if method.name == "__init__"), None)
    if statement is None or init is None:
        return
    for call in ast.walk(statement):
        if not isinstance(call, ast.Call) or not last_name(call.func)[:1].isupper():
            continue
        name = last_name(call.func).lower()
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
        made = place.line_after(init.body[-1], f"self.{name} = {place.written(call)}")
        text = place.edited(made, place.swap(call, f"self.{name}"))
        yield "Make it in __init__", text


def make_the_optimizer_last(finding: Finding, source: str) -> Mends:
    """A layer was replaced after the optimizer was made: make the optimizer afterwards."""
    place = place_of(finding, source)
    function = place.function("optimizer")
    if function is None or not isinstance(function.body[-1], ast.Return):
        return
    made = [call for call, _ in optimizer_calls(place)]
    for statement in function.body[:-1]:
        if isinstance(statement, ast.Assign) and statement.value in made:
            later = place.line_before(function.body[-1], place.whole(statement))
            text = place.edited(place.without_lines(statement), later)
            yield "Rebuild optimizer", text


def run_once_before(finding: Finding, source: str) -> Mends:
    """What the first ``forward`` makes is missing before it: run it once before the optimizer."""
    place = place_of(finding, source)
    function = place.function("optimizer")
    if function is None or not function.args.args or place.function("batch") is None:
        return
    model = function.args.args[0].arg
    for given in ("batch()[0]", "*batch()[0]"):
        line = f"{model}({given})  # its first run makes what is still missing"
        text = place.edited(place.line_before(function.body[0], line))
        yield "Run the model once before", text


def run_once_in_build(finding: Finding, source: str) -> Mends:
    """A lazy layer is asked for its size in ``build``: run the model once before."""
    place = place_of(finding, source)
    function = place.function("build")
    for statement in function.body if function is not None and place.function("batch") else ():
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if not isinstance(target, ast.Name) or not isinstance(statement, ast.Assign):
            continue
        for given in ("batch()[0]", "*batch()[0]"):
            line = f"{target.id}({given})  # its first run gives the lazy layers their shapes"
            yield "Run the model once before", place.edited(place.line_after(statement, line))


def divide_exactly(finding: Finding, source: str) -> Mends:
    """``lr = 1 // 100`` is 0: divide without rounding."""
    place = place_of(finding, source)
    for node in ast.walk(place.tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
            _, left = place.text.node_range(node.left)
            start = place.source.index("//", left)
            yield "Divide without rounding", place.edited(Edit(start, start + 2, "/"))


def step_what_trains(finding: Finding, source: str) -> Mends:
    """A tensor that is moved although nothing trains it: leave it out of the optimizer."""
    place = place_of(finding, source)
    for call, model in optimizer_calls(place):
        text = f"[p for p in {model}.parameters() if p.requires_grad]"
        yield "Give the optimizer what trains", place.edited(place.swap(call.args[0], text))


def forget_the_gradient(finding: Finding, source: str) -> Mends:
    """``zero_grad(set_to_none=False)`` keeps a gradient that moves the frozen: let it go."""
    place = place_of(finding, source)
    for call in calls_of(place.tree, "zero_grad"):
        if call.args or call.keywords:
            _, start = place.text.node_range(call.func)
            _, end = place.text.node_range(call)
            yield "Let gradients be None", place.edited(Edit(start, end, "()"))


def add_it_once(finding: Finding, source: str) -> Mends:
    """A tensor given to an optimizer a second time: take the second time away."""
    place = place_of(finding, source)
    function = place.function("optimizer")
    names = ("append", "extend", "add_param_group")
    for statement in expression_statements(function, *names) if function is not None else ():
        yield "Give it to the optimizer once", place.edited(place.without_lines(statement))


def begin_with_differences(finding: Finding, source: str) -> Mends:
    """Rows that begin equal stay equal: begin with random values."""
    name, after = spelling(source, "torch.nn.init.xavier_uniform_")
    if after == source:
        place = place_of(finding, source)
        for call in calls_of(place.tree, "zeros_", "ones_", "constant_", "fill_", "zero_"):
            target = call.args[0] if last_name(call.func).endswith("s_") and call.args else None
            if last_name(call.func) == "constant_" and call.args:
                target = call.args[0]
            if target is None and isinstance(call.func, ast.Attribute):
                target = call.func.value
            if target is not None:
                written = place.written(target).removesuffix(".data")
                text = f"{name}({written})"
                yield "Begin with random values", place.edited(place.swap(call, text))
    place = place_of(finding, source)
    for _, assigned in place.assignments(place.attribute):
        for call in calls_of(assigned.value, "zeros", "ones"):
            _, end = place.text.node_range(call.func)
            size = len(last_name(call.func))
            edit = Edit(end - size, end, "randn")
            yield "Begin with random values", place.edited(edit)


def strip_the_prefix(finding: Finding, source: str) -> Mends:
    """Keys that match nothing for their prefix: take it off before loading."""
    place = place_of(finding, source)
    prefixes = dict.fromkeys((*_prefix_told(finding), "module.", "model."))
    for call in calls_of(place.tree, "load_state_dict"):
        for key in ("state_dict", "model_state_dict", "model") if call.args else ():
            state = parenthesized(place.written(call.args[0]), call.args[0])
            text = place.edited(place.swap(call.args[0], f'{state}["{key}"]'))
            if f"`{key}`" in finding.message or f'"{key}"' in source:
                yield f"Load what is under {key}", text
        for prefix in prefixes if call.args else ():
            state = place.written(call.args[0])
            text = f'{{k.removeprefix("{prefix}"): v for k, v in {state}.items()}}'
            yield f"Strip {prefix}", place.edited(place.swap(call.args[0], text))


def _prefix_told(finding: Finding) -> Iterator[str]:
    """Give what the file's name in the message has before the model's."""
    names = finding.message.split("`")
    if len(names) > 4:
        given, own = names[-4], names[-2]
        if given.endswith(f".{own}"):
            yield given.removesuffix(own)


def stay_off_zero(finding: Finding, source: str) -> Mends:
    """``sqrt``, ``log`` or a norm at zero has no finite gradient: add a little inside."""
    place = place_of(finding, source)
    for call in calls_of(place.tree, "sqrt", "log", "rsqrt"):
        yield from _with_epsilon(place, call)


def _with_epsilon(place: Place, call: ast.Call) -> Mends:
    inner = call.args[0] if call.args else None
    if inner is None and isinstance(call.func, ast.Attribute):
        owner = call.func.value
        text = f"({place.written(owner)} + {_EPSILON})"
        start, dot = place.text.node_range(owner)
        if place.source[start - 1 : start] == "(":
            text = text[1:-1]  # its own parentheses are there
        yield f"Add {_EPSILON} inside", place.edited(Edit(start, dot, text))
    elif inner is not None:
        text = f"{place.written(inner)} + {_EPSILON}"
        yield f"Add {_EPSILON} inside", place.edited(place.swap(inner, text))
