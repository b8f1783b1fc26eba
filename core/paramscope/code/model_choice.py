"""What of a file can be looked at: its Module classes, functions that make one, made models.

Asked when a file has no ``build()``; found in the syntax, nothing is run. What a constructor
needs is guessed from calls in the file, from its annotations and from usual sizes, each with
its reason, so that the user sees what is a guess.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from paramscope.code.names import is_defined_by, statements_of
from paramscope.code.parse import Analysis, SourceError, analyze
from paramscope.code.syntax import FunctionNode

# Part of a parameter's name -> a small usual value. The first that fits counts.
_USUAL: tuple[tuple[tuple[str, ...], str], ...] = (
    (("vocab", "n_tokens", "ntoken", "num_embeddings"), "100"),
    (("num_class", "n_class", "nclass", "classes", "num_labels", "n_out", "action"), "10"),
    (("in_channels", "in_ch", "inplanes", "in_planes", "channels", "img_ch", "nc"), "3"),
    (("inp", "cin", "c_in", "in_c"), "3"),
    (("oup", "outp", "cout", "c_out", "out_c"), "16"),
    (("out_ch", "planes", "filters", "features_g", "features_d", "ngf", "ndf"), "16"),
    (("head", "heads", "nhead", "n_head", "num_head"), "4"),
    (("layer", "depth", "n_block", "num_block"), "2"),
    (("kernel",), "3"),
    (("stride",), "1"),
    (("pad",), "1"),
    (("patch",), "4"),
    (("img_size", "image_size", "img_dim", "resolution"), "32"),
    (("seq_len", "max_len", "block_size", "context", "window", "horizon"), "16"),
    (("drop", "prob"), "0.1"),
    (("latent", "z_dim", "nz", "noise"), "16"),
    (("batch",), "2"),
    (("state", "obs"), "4"),
    (("embed", "emb", "d_model", "hidden", "dim", "width", "units", "n_hid"), "32"),
    (("in_features", "input_size", "in_dim", "input", "n_in"), "8"),
    (("out_features", "output", "out"), "4"),
    (("size", "features", "num", "n_"), "8"),
)
_MODULE_NAME = re.compile(
    r"(encoder|decoder|backbone|model|net|network|module|block|layer|embedder|classifier|head|fn"
    r"|func|function|activation|criterion|generator|discriminator)$"
)
_BY_TYPE = {"int": "8", "float": "0.1", "bool": "False", "str": "'same'"}


@dataclass(frozen=True, slots=True)
class Argument:
    """One thing to be filled in: what is guessed for it, and why. An empty text is no guess."""

    name: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Something of the file that makes a model, or is one.

    ``kind`` is ``class``, ``function`` or ``model``; ``arguments`` are those it needs.
    """

    name: str
    kind: str
    line: int
    arguments: tuple[Argument, ...] = ()
    about: str = ""

    def expression(self, texts: Sequence[str]) -> str:
        """Return the Python that makes the model with these argument texts."""
        if self.kind == "model":
            return self.name
        pairs = zip(self.arguments, texts, strict=True)
        given = [f"{argument.name}={text.strip()}" for argument, text in pairs if text.strip()]
        return f"{self.name}({', '.join(given)})"


def has_build(source: str) -> bool:
    """Tell whether a file makes its model itself, by a function ``build``."""
    return defines(source, "build")


def defines(source: str, name: str) -> bool:
    """Tell whether the top of a file makes or imports something of this name."""
    try:
        body = analyze(source).tree.body
    except SourceError:
        return False
    return any(is_defined_by(node, name) for node in body)


def choices(source: str) -> tuple[Choice, ...]:
    """Return what a file offers to look at, the likeliest first; empty if it has no Module."""
    try:
        analysis = analyze(source)
    except SourceError:
        return ()
    found = [*_models(analysis), *_functions(analysis), *_classes(analysis)]
    order = _ranks(analysis)
    found.sort(key=lambda one: order.get(one.name, (3, 0)))
    return tuple(found)


def class_made_by(source: str, expression: str) -> str:
    """Return the class of the file whose object an expression is; empty if that is not known."""
    try:
        analysis = analyze(source)
    except SourceError:
        return ""
    name = re.split(r"\W", expression.strip(), maxsplit=1)[0]
    if name in analysis.context.classes:
        return name
    for statement in analysis.tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            if any(isinstance(one, ast.Name) and one.id == name for one in statement.targets):
                made = _made_by(statement.value)
                return made if made in analysis.context.classes else ""
    function = analysis.context.functions.get(name)
    return _class_returned(function, analysis) if function is not None else ""


def _classes(analysis: Analysis) -> Iterator[Choice]:
    for name, info in analysis.context.classes.items():
        if "forward" not in info.methods or name.startswith("__"):
            continue
        init = info.methods.get("__init__")
        arguments = _arguments(analysis, name, init, is_method=True) if init is not None else ()
        yield Choice(name, "class", info.node.lineno, arguments, _first_line(info.node))


def _functions(analysis: Analysis) -> Iterator[Choice]:
    """Functions at the top of the file that return an object of one of its Modules."""
    for name, function in analysis.context.functions.items():
        if isinstance(function, ast.FunctionDef) and _class_returned(function, analysis):
            arguments = _arguments(analysis, name, function, is_method=False)
            yield Choice(name, "function", function.lineno, arguments, _first_line(function))


def _models(analysis: Analysis) -> Iterator[Choice]:
    """Models that the file itself makes when it is run."""
    for statement in analysis.tree.body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
            continue
        called = _made_by(statement.value)
        target = statement.targets[0]
        if isinstance(target, ast.Name) and called in analysis.context.classes:
            about = f"a {called}, made in line {statement.lineno}"
            yield Choice(target.id, "model", statement.lineno, (), about)


def _made_by(call: ast.Call) -> str:
    """Return the class in ``Net(...)`` and in ``Net(...).to(device)``."""
    function = call.func
    while isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
        function = function.value.func
    return function.id if isinstance(function, ast.Name) else ""


def _class_returned(function: FunctionNode, analysis: Analysis) -> str:
    """Return the class of the file that a function returns an object of, else nothing."""
    made: dict[str, str] = {}
    for statement in statements_of(function):
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            if isinstance(statement.targets[0], ast.Name):
                made[statement.targets[0].id] = _made_by(statement.value)
        if isinstance(statement, ast.Return):
            value = statement.value
            name = _made_by(value) if isinstance(value, ast.Call) else ""
            if isinstance(value, ast.Name):
                name = made.get(value.id, "")
            if name in analysis.context.classes:
                return name
    return ""


def _ranks(analysis: Analysis) -> dict[str, tuple[int, int]]:
    """Rank whole models before their parts, and larger wholes before smaller ones."""
    classes = analysis.context.classes
    uses = {name: _names_in(info.node) & classes.keys() - {name} for name, info in classes.items()}
    used = set().union(*uses.values()) if uses else set()
    ranks: dict[str, tuple[int, int]] = {}
    for name, info in classes.items():
        reach = len(_reachable(name, uses))
        is_part = (
            name in used
            or "loss" in name.lower()
            or any(name in other.bases for other in classes.values())
        )
        size = (info.node.end_lineno or 0) - info.node.lineno
        ranks[name] = (2 if is_part else 1, -(1000 * reach + min(size, 999)))
    for name in analysis.context.functions:
        ranks[name] = (1, -500)
    for model in _models(analysis):
        ranks[model.name] = (0, model.line)
    needy = {c.name for c in _classes(analysis) if any(not a.text for a in c.arguments)}
    for name in needy:
        ranks[name] = (ranks[name][0] + 1, ranks[name][1])
    return ranks


def _names_in(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _reachable(name: str, uses: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    stack = [name]
    while stack:
        current = stack.pop()
        if current not in seen:
            seen.add(current)
            stack += uses.get(current, ())
    return seen


# What a constructor needs


def _arguments(
    analysis: Analysis, name: str, function: FunctionNode, *, is_method: bool
) -> tuple[Argument, ...]:
    """Return what a call of ``name`` must give, each with a guess."""
    signature = function.args
    listed = [*signature.posonlyargs, *signature.args][1 if is_method else 0 :]
    count = len(listed) - len(signature.defaults)
    needed = listed[: max(count, 0)]
    needed += [
        one
        for one, default in zip(signature.kwonlyargs, signature.kw_defaults, strict=True)
        if default is None
    ]
    if not needed:
        return ()
    called = _as_called(analysis, name, [one.arg for one in listed])
    return tuple(called.get(one.arg) or _guessed(analysis, one, function) for one in needed)


def _as_called(analysis: Analysis, name: str, listed: Sequence[str]) -> dict[str, Argument]:
    """Return the arguments of the call in the file that says most of them at the top level."""
    known = _global_names(analysis)
    best: dict[str, Argument] = {}
    for statement in statements_of(analysis.tree):
        for call in _calls_of(statement, name):
            if any(isinstance(one, ast.Starred) for one in call.args):
                continue
            values = dict(zip(listed, call.args, strict=False))
            values |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
            found = {}
            for parameter, value in values.items():
                text = _text_at_top(value, known, analysis)
                if text is not None:
                    reason = f"as the file calls it in line {call.lineno}"
                    found[parameter] = Argument(parameter, text, reason)
            if len(found) > len(best):
                best = found
    return best


def _calls_of(statement: ast.stmt, name: str) -> Iterator[ast.Call]:
    """Calls of a name in a statement, but not in the statements inside of it."""
    stack: list[ast.AST] = [
        child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.expr)
    ]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node
        stack.extend(child for child in ast.iter_child_nodes(node))


def _text_at_top(value: ast.expr, known: set[str], analysis: Analysis) -> str | None:
    """Return an argument as it can be written outside of the function that it stands in."""
    names = {one.id for one in ast.walk(value) if isinstance(one, ast.Name)}
    if names <= known and not any(isinstance(one, ast.Await) for one in ast.walk(value)):
        return ast.unparse(value)
    return None


def _global_names(analysis: Analysis) -> set[str]:
    names = {*analysis.context.functions, *analysis.context.classes}
    names |= {*analysis.context.imports.names, "True", "False", "None", "len", "range", "int"}
    for node in analysis.tree.body:
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        targets: list[ast.expr] = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        for target in targets:
            names |= {one.id for one in ast.walk(target) if isinstance(one, ast.Name)}
    return names


def _guessed(analysis: Analysis, argument: ast.arg, function: FunctionNode) -> Argument:
    name = argument.arg
    written = ast.unparse(argument.annotation) if argument.annotation is not None else ""
    made = _settings_class(analysis, name, written, function)
    if made is not None:
        return Argument(name, *made)
    low = name.lower()
    if not written.startswith(("int", "float", "bool", "str")) and _MODULE_NAME.search(low):
        return Argument(name, "", "a Module or function: write what makes one")
    if written in ("float", "bool", "str"):
        return Argument(name, _BY_TYPE[written], "a value of its type; change it to yours")
    for parts, value in _USUAL:
        if any(_speaks_of(low, part) for part in parts):
            return Argument(name, value, "a usual size; change it to yours")
    if written in _BY_TYPE:
        return Argument(name, _BY_TYPE[written], "a value of its type; change it to yours")
    return Argument(name, "", "it has no default")


def _speaks_of(name: str, part: str) -> bool:
    """Tell whether a word is in a name; a short one has to stand by itself, as in ``nc_in``."""
    if len(part) > 3 or part.endswith("_"):
        return part in name
    return part in re.split(r"[_\d]+", name)


def _settings_class(
    analysis: Analysis, name: str, annotation: str, function: FunctionNode
) -> tuple[str, str] | None:
    """Find what ``config`` may be: a class of settings of the file, or a dict at its top."""
    classes = {n.name: n for n in analysis.tree.body if isinstance(n, ast.ClassDef)}
    annotated = annotation.strip("'\"")
    if annotated in classes and annotated not in analysis.context.classes:
        return f"{annotated}()", "the class that its annotation names"
    wanted = {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    }
    for known, node in classes.items():
        if known not in analysis.context.classes and wanted and wanted <= _fields_of(node):
            return f"{known}()", "it has the settings that are read here"
    keys = {
        node.slice.value
        for node in ast.walk(function)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
        and isinstance(node.slice, ast.Constant)
    }
    for statement in analysis.tree.body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Dict):
            continue
        has = {one.value for one in statement.value.keys if isinstance(one, ast.Constant)}
        target = statement.targets[0]
        if keys and keys <= has and isinstance(target, ast.Name):
            return target.id, f"the settings of line {statement.lineno}"
    return None


def _fields_of(node: ast.ClassDef) -> set[str]:
    fields = set()
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            fields.add(item.target.id)
        elif isinstance(item, ast.Assign):
            fields |= {t.id for t in item.targets if isinstance(t, ast.Name)}
        elif isinstance(item, ast.FunctionDef):
            fields.add(item.name)
            if item.name == "__init__":
                fields |= {n.attr for n in ast.walk(item) if isinstance(n, ast.Attribute)}
    return fields


def _first_line(node: ast.ClassDef | ast.FunctionDef) -> str:
    text = ast.get_docstring(node) or ""
    return text.strip().partition("\n")[0][:120]
