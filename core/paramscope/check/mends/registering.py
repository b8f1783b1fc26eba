"""Edits for tensors and Modules that their owner does not register, or registers wrongly."""

import ast
from collections.abc import Iterator

from paramscope.check.mends.place import (
    Mends,
    Place,
    calls_of,
    first_statement,
    is_literal,
    is_of_self,
    last_name,
    moved,
    parenthesized,
    place_of,
    spelling,
)
from paramscope.code.call_text import CallText
from paramscope.code.commands import Register, RegisterBuffer
from paramscope.code.syntax import FunctionNode
from paramscope.code.text_edit import Edit
from paramscope.document.document import Document
from paramscope.rules.finding import Finding


def hold_modules(finding: Finding, source: str) -> Mends:
    """``self.layers = [...]``: wrap it in ``nn.ModuleList`` or ``nn.ModuleDict``."""
    yield from _wrapped(finding, source, "ModuleList", "ModuleDict", "Module")


def hold_parameters(finding: Finding, source: str) -> Mends:
    """``self.weights = [...]``: wrap it in ``nn.ParameterList`` or ``nn.ParameterDict``."""
    yield from _wrapped(finding, source, "ParameterList", "ParameterDict", "Module")


def _wrapped(finding: Finding, source: str, of_list: str, of_dict: str, outer: str) -> Mends:
    names = {}
    for name in {of_list, of_dict, f"{outer}List", f"{outer}Dict"}:
        names[name], after = spelling(source, f"torch.nn.{name}")
        finding, source = moved(finding, source, after), after
    place = place_of(finding, source)
    for value in _made_values(place):
        is_dict = isinstance(value, ast.Dict | ast.DictComp)
        inner = _displays_in(value)
        if inner:
            edits = []
            for part in inner:
                name = of_dict if isinstance(part, ast.Dict | ast.DictComp) else of_list
                edits += _around(place, part, names[name])
            kind = f"{outer}Dict" if is_dict else f"{outer}List"
            yield f"Use nn.{kind}", place.edited(*edits, *_around(place, value, names[kind]))
        for kind in (of_dict, of_list) if is_dict else (of_list, of_dict):
            yield f"Use nn.{kind}", place.edited(*_around(place, value, names[kind]))


def _displays_in(value: ast.expr) -> list[ast.expr]:
    """Return the lists and dicts that a list or dict consists of, if it holds nothing else."""
    parts: list[ast.expr] = []
    if isinstance(value, ast.Dict):
        parts = list(value.values)
    elif isinstance(value, ast.List | ast.Tuple):
        parts = list(value.elts)
    elif isinstance(value, ast.ListComp):
        parts = [value.elt]
    elif isinstance(value, ast.DictComp):
        parts = [value.value]
    kinds = (ast.Dict, ast.List, ast.ListComp, ast.DictComp, ast.Tuple)
    return parts if all(isinstance(part, kinds) for part in parts) else []


def _around(place: Place, node: ast.expr, function: str) -> list[Edit]:
    start, end = place.text.node_range(node)
    is_bare = isinstance(node, ast.Tuple) and place.source[start] != "("
    before, after = ("((", "))") if is_bare else ("(", ")")
    return [Edit(start, start, f"{function}{before}"), Edit(end, end, after)]


def _made_values(place: Place) -> Iterator[ast.expr]:
    """Give what is assigned to the finding's attribute, the finding's own line first."""
    statement = place.statement()
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        yield statement.value
    for _, assigned in place.assignments(place.attribute):
        if assigned is not statement:
            yield assigned.value


def calculate_inside(finding: Finding, source: str) -> Mends:
    """``nn.Parameter(x) * 0.02``: move the calculation into the Parameter."""
    place = place_of(finding, source)
    for value in _made_values(place):
        for call in calls_of(value, "Parameter"):
            if len(call.args) != 1 or call.keywords or call is value:
                continue
            inner = parenthesized(place.written(call.args[0]), call.args[0])
            start, end = place.text.node_range(value)
            function = place.written(call.func)
            edits = [Edit(start, start, f"{function}("), Edit(end, end, ")")]
            yield "Move the calculation into nn.Parameter", _without_call(place, call, inner, edits)


def calculate_from_a_leaf(finding: Finding, source: str) -> Mends:
    """``torch.randn(4, requires_grad=True) / 2``: the result is the Parameter."""
    place = place_of(finding, source)
    for value in _made_values(place):
        names = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
        keywords = {n.arg for n in ast.walk(value) if isinstance(n, ast.keyword)}
        makes_a_leaf = "requires_grad" in keywords or any(calls_of(value, "requires_grad_"))
        if makes_a_leaf and "self" not in names:
            yield from register_parameter(finding, source)
            return


def calculate_when_asked(finding: Finding, source: str) -> Mends:
    """``self.b = self.a.t()`` in ``__init__``: a property calculates it anew each time."""
    place = place_of(finding, source)
    for method, assigned in place.assignments(place.attribute):
        names = {n.id for n in ast.walk(assigned.value) if isinstance(n, ast.Name)}
        imported = {
            alias.asname or alias.name.partition(".")[0]
            for node in place.tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        if method.name != "__init__" or "self" not in names or names - imported - {"self"}:
            continue
        newline = place.text.newline(method.lineno)
        depth = place.text.indentation(method.lineno)
        deeper = place.text.indentation(method.body[-1].lineno)
        lines = ["", f"{depth}@property", f"{depth}def {place.attribute}(self):"]
        lines.append(f"{deeper}return {place.written(assigned.value)}")
        end = place.text.line_end(method.end_lineno or method.lineno)
        start = place.text.line_start(assigned.lineno)
        text = Edit(end, end, newline + newline.join(lines))
        if assigned is method.body[-1]:
            cut = Edit(start - len(newline), end, text.text)
            yield "Calculate it when it is asked for", place.edited(cut)
        else:
            yield (
                "Calculate it when it is asked for",
                place.edited(place.without_lines(assigned), text),
            )


def _without_call(place: Place, call: ast.Call, inner: str, edits: list[Edit]) -> str:
    start, end = place.text.node_range(call)
    if edits[0].start == start:  # it opens the expression: both edits begin at one place
        return place.edited(Edit(start, end, edits[0].text + inner), edits[1])
    if edits[1].start == end:
        return place.edited(edits[0], Edit(start, end, inner + edits[1].text))
    return place.edited(edits[0], Edit(start, end, inner), edits[1])


def derive_from_module(finding: Finding, source: str) -> Mends:
    """An owner that is no Module: derive its class, and call the base's ``__init__``."""
    module, after = spelling(source, "torch.nn.Module")
    place = place_of(moved(finding, source, after), after)
    for value in _made_values(place):
        called = last_name(value.func) if isinstance(value, ast.Call) else ""
        for cls in place.tree.body:
            if isinstance(cls, ast.ClassDef) and cls.name == called and not cls.decorator_list:
                edits = [*_based_on(place, cls, module), *_base_init(place, cls)]
                yield f"Derive {called} from nn.Module", place.edited(*edits)


def _based_on(place: Place, cls: ast.ClassDef, module: str) -> list[Edit]:
    if cls.bases:
        bases = [base for base in cls.bases if last_name(base) == "object"]
        return [place.swap(bases[0], module)] if bases else []
    start, _ = place.text.node_range(cls)
    name_end = place.source.index(cls.name, start) + len(cls.name)
    colon = place.source.index(":", name_end)
    return [Edit(name_end, colon, f"({module})")]


def _base_init(place: Place, cls: ast.ClassDef) -> list[Edit]:
    for method in cls.body:
        if isinstance(method, FunctionNode) and method.name == "__init__":
            if not _super_init(method):
                return [place.line_before(first_statement(method), "super().__init__()")]
    return []


def _super_init(method: FunctionNode) -> ast.Expr | None:
    for statement in method.body:
        value = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(value, ast.Call) and last_name(value.func) == "__init__":
            assert isinstance(statement, ast.Expr)
            return statement
    return None


def init_first(finding: Finding, source: str) -> Mends:
    """Assigned before ``Module.__init__``: move the call up, or add it."""
    place = place_of(finding, source)
    cls = place.class_at(finding.line) if finding.line is not None else None
    for method in cls.body if cls is not None else ():
        if not isinstance(method, FunctionNode) or method.name != "__init__":
            continue
        first = first_statement(method)
        call = _super_init(method)
        if call is None:
            edit = place.line_before(first, "super().__init__()")
            yield "Call super().__init__() first", place.edited(edit)
        elif call is not first:
            edits = (place.line_before(first, place.whole(call)), place.without_lines(call))
            yield "Call super().__init__() first", place.edited(*edits)


def use_a_local_name(finding: Finding, source: str) -> Mends:
    """``self.mix = softmax(self.mix)`` in ``forward``: give the result a name of its own."""
    place = place_of(finding, source)
    for method, assigned in place.assignments(place.attribute):
        if method.name == "__init__" or place.attribute in _names_in(method):
            continue
        _, end = place.text.node_range(assigned)
        later = [
            node
            for node in ast.walk(method)
            if isinstance(node, ast.Attribute)
            and is_of_self(node, place.attribute)
            and place.text.node_range(node)[0] >= end
        ]
        edits = [place.swap(node, place.attribute) for node in (assigned.targets[0], *later)]
        yield f"Keep the result in a local {place.attribute}", place.edited(*edits)


def _names_in(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def make_each(finding: Finding, source: str) -> Mends:
    """``[Block()] * n`` holds one Block n times: make each anew."""
    place = place_of(finding, source)
    for node in ast.walk(place.tree):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
            continue
        for held, count in ((node.left, node.right), (node.right, node.left)):
            if isinstance(held, ast.List) and len(held.elts) == 1:
                made = place.written(held.elts[0])
                text = f"[{made} for _ in range({place.written(count)})]"
                if "(" in made:
                    yield "Make each one anew", place.edited(place.swap(node, text))


def share_the_weight(finding: Finding, source: str) -> Mends:
    """A tie made by copy: assign the Parameter itself."""
    place = place_of(finding, source)
    for node in ast.walk(place.tree):
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            continue
        target, value = _bare(node.targets[0]), _bare(node.value)
        names = {last_name(target), last_name(value)}
        if "weight" not in names or (target is node.targets[0] and value is node.value):
            continue
        text = f"{place.written(target)} = {place.written(value)}"
        yield "Assign the Parameter itself", place.edited(place.swap(node, text))
    for statement in ast.walk(place.tree):
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call) and last_name(call.func) == "copy_" and call.args:
            assert isinstance(call.func, ast.Attribute) and isinstance(statement, ast.Expr)
            target, value = _bare(call.func.value), _bare(call.args[0])
            text = f"{place.written(target)} = {place.written(value)}"
            yield "Assign the Parameter itself", place.edited(place.swap(statement, text))


def _bare(node: ast.expr) -> ast.expr:
    """Return the tensor that an expression takes the value of."""
    while True:
        if isinstance(node, ast.Attribute) and node.attr == "data":
            node = node.value
        elif isinstance(node, ast.Call) and last_name(node.func) in ("clone", "detach"):
            if not isinstance(node.func, ast.Attribute):
                return node
            node = node.func.value
        elif isinstance(node, ast.Call) and last_name(node.func) == "Parameter" and node.args:
            node = node.args[0]
        else:
            return node


def register_parameter(finding: Finding, source: str) -> Mends:
    """A buffer that is to be trained is a Parameter."""
    for name in _classes(finding, source):
        after = Register(name, finding.where.rpartition(".")[2]).apply(Document(source))
        yield "Register as Parameter", after.source


def register_buffer(finding: Finding, source: str) -> Mends:
    """A state that changes belongs in a buffer."""
    for name in _classes(finding, source):
        after = RegisterBuffer(name, finding.where.rpartition(".")[2]).apply(Document(source))
        yield "Register as buffer", after.source


def _classes(finding: Finding, source: str) -> Iterator[str]:
    place = place_of(finding, source)
    cls = place.class_at(finding.line) if finding.line is not None else None
    if cls is not None:
        yield cls.name


def save_the_buffer(finding: Finding, source: str) -> Mends:
    """``persistent=False`` on a buffer that changes: let it be saved."""
    place = place_of(finding, source)
    for call in place.buffer_calls():
        items: list[ast.expr | ast.keyword] = [*call.args[2:3]]
        for item in (*items, *(k for k in call.keywords if k.arg == "persistent")):
            edits = CallText(place.text, call).without(item)
            yield "Save it with the model", place.edited(*edits)


def wrap_in_parameter(finding: Finding, source: str) -> Mends:
    """A tensor that is made apart, or put in its place by ``setattr``: wrap it there."""
    name, after = spelling(source, "torch.nn.Parameter")
    place = place_of(moved(finding, source, after), after)
    for _, assigned in place.assignments(place.attribute):
        if isinstance(assigned.value, ast.Name):
            written = f"{name}({place.written(assigned.value)})"
            yield "Register as Parameter", place.edited(place.swap(assigned.value, written))
    for call in calls_of(place.tree, "setattr"):
        if len(call.args) == 3 and is_literal(call.args[1], place.attribute):
            written = f"{name}({place.written(call.args[2])})"
            yield "Register as Parameter", place.edited(place.swap(call.args[2], written))


def copy_into_it(finding: Finding, source: str) -> Mends:
    """``layer.weight = values`` on a Parameter: write the values into it."""
    switch, after = spelling(source, "torch.no_grad")
    place = place_of(moved(finding, source, after), after)
    statement = place.statement()
    if not isinstance(statement, ast.Assign) or statement.lineno != statement.end_lineno:
        return
    target = statement.targets[0]
    if isinstance(target, ast.Attribute) and target.attr == place.attribute:
        depth = place.text.indentation(statement.lineno)
        step = "\t" if "\t" in depth else "    "
        newline = place.text.newline(statement.lineno)
        line = f"{place.written(target)}.copy_({place.written(statement.value)})"
        text = f"with {switch}():{newline}{depth}{step}{line}"
        yield "Write the values into it", place.edited(place.swap(statement, text))


def spell_init(finding: Finding, source: str) -> Mends:
    """``def _init_(self)`` never runs: it is ``__init__``."""
    place = place_of(finding, source)
    for cls in ast.walk(place.tree):
        for method in cls.body if isinstance(cls, ast.ClassDef) else ():
            if isinstance(method, FunctionNode) and is_near_init(method.name):
                start, _ = place.text.node_range(method)
                at = place.source.index(method.name, place.source.index("def", start) + 3)
                edit = Edit(at, at + len(method.name), "__init__")
                yield "Call it __init__", place.edited(edit)


def is_near_init(name: str) -> bool:
    """Tell whether a method's name is ``__init__`` misspelt.

    >>> [is_near_init(name) for name in ("_init_", "__int__", "__init__", "init", "_init_weights")]
    [True, True, False, False, False]
    """
    return name != "__init__" and name.strip("_") in ("init", "int", "inti") and "_" in name[:1]
