"""The top level of a document: data, model, loss and optimizer, and what else the file does.

A document names them by functions (``batch``, ``build``, ``loss``, ``optimizer``); in a plain
script the statements of the top level themselves are drawn.
"""

import ast

from paramscope.code.binding import Context, bound_arguments, dotted_signature
from paramscope.code.draft import Draft, Input, Source
from paramscope.code.graph import NodeKind
from paramscope.code.members import Member, is_sequence, made_member
from paramscope.code.syntax import FunctionNode, walk
from paramscope.code.wiring import Wiring

_ROLES = {
    "batch": NodeKind.DATA,
    "build": NodeKind.MODEL,
    "loss": NodeKind.LOSS,
    "optimizer": NodeKind.OPTIMIZER,
}


def model_class(tree: ast.Module, context: Context) -> str | None:
    """The class that ``build()`` makes, else the one that the script makes, else the last."""
    build = context.functions.get("build")
    if build is not None:
        call = _returned_call(build, context)
        if call is not None:
            dotted = context.imports.resolve(call.func)
            return dotted if dotted in context.classes else None
    made: str | None = None
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            call = _innermost(statement.value, context)
            dotted = context.imports.resolve(call.func) if call is not None else None
            if dotted in context.classes:
                made = dotted
    return made or next(reversed(context.classes), None)


def built_sequence(context: Context) -> Member | None:
    """The ``nn.Sequential`` that ``build()`` returns, if that is what it returns."""
    build = context.functions.get("build")
    call = _returned_call(build, context) if build is not None else None
    if build is None or call is None:
        return None
    member = made_member("model", call, build, context.imports, context.classes)
    return member if is_sequence(member) else None


def wire_program(tree: ast.Module, context: Context, model: str | None) -> Wiring:
    """Draw the top level."""
    wiring = Wiring(context, None, None)
    body = [statement for statement in tree.body if _is_drawn(statement, context)]
    inside = [statement for statement in tree.body if not _is_drawn(statement, context)]
    wiring.read(body, inside)
    if not any(name in context.functions for name in _ROLES):
        _mark_script(wiring, context)
        return wiring
    roles: dict[str, Draft] = {}
    for name in _ROLES:
        function = context.functions.get(name)
        if function is not None:
            roles[name] = _role(name, function, wiring, context, model)
    if "build" not in roles and model is not None:
        roles["build"] = Draft(NodeKind.MODEL, model, "model", "model", scope=model)
        roles["build"].outputs = ["model"]
    wiring.nodes = [*roles.values(), *wiring.nodes]
    _wire_roles(roles)
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            if statement.name not in _ROLES:
                _add_function(wiring, statement, context)
    return wiring


def _is_drawn(statement: ast.stmt, context: Context) -> bool:
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    if isinstance(statement, ast.ClassDef):
        return False
    return not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))


def _role(
    name: str, function: FunctionNode, wiring: Wiring, context: Context, model: str | None
) -> Draft:
    base = "data" if name == "batch" else "model" if name == "build" else name
    node = Draft(_ROLES[name], f"{name}()", base, name, syntax=function)
    node.text = context.text.text(function)
    call = _returned_call(function, context)
    if name == "batch":
        node.outputs = _batch_outputs(function, context)
    else:
        node.outputs = [base] if name != "optimizer" else []
    node.call = call
    if call is not None and name != "batch":
        if _last_name(call) not in {
            item.arg for item in function.args.args
        }:  # not `return model(x).sum()`
            node.title = _last_name(call)
        signature = dotted_signature(context.imports.resolve(call.func), context)
        node.arguments = [
            argument
            for argument in bound_arguments(call, signature, context)
            if argument.name != "params" and name != "loss"
        ]
    if name == "build" and call is not None:
        node.scope = model if model is not None else None
        if built_sequence(context) is not None:
            node.scope, node.arguments = "build.model", []
    parameters = function.args.posonlyargs + function.args.args
    optional = len(parameters) - len(function.args.defaults)
    node.inputs = [
        Input(item.arg, None, required=place < optional) for place, item in enumerate(parameters)
    ]
    for variable, source in wiring.environment.items():
        reads = _reads(function, variable)
        if isinstance(source, Source) and reads:
            node.inputs.append(Input(variable, source, (reads[0],), required=False))
    return node


def _wire_roles(roles: dict[str, Draft]) -> None:
    """Join the four by the documents' convention: loss(model, x, y), optimizer(model)."""
    data, model = roles.get("batch"), roles.get("build")
    for name in ("loss", "optimizer"):
        node = roles.get(name)
        if node is None:
            continue
        places = [item for item in node.inputs if not item.reads]
        if places and model is not None:
            places[0].value = Source(model)
        for port, item in enumerate(places[1:]):
            if data is not None and port < len(data.outputs):
                item.value = Source(data, port)


def _add_function(wiring: Wiring, function: FunctionNode, context: Context) -> None:
    node = Draft(NodeKind.CODE, f"{function.name}()", function.name, function.name)
    node.syntax = function
    node.text = context.text.text(function)
    node.outputs = []
    for variable, source in wiring.environment.items():
        reads = _reads(function, variable)
        if isinstance(source, Source) and reads:
            node.inputs.append(Input(variable, source, (reads[0],), required=False))
    wiring.nodes.append(node)


def _mark_script(wiring: Wiring, context: Context) -> None:
    """In a plain script, mark the calls that make the model and the optimizer."""
    for node in wiring.nodes:
        call = node.syntax
        if not isinstance(call, ast.Call):
            continue
        dotted = context.imports.resolve(call.func) or ""
        if dotted in context.classes:
            node.kind, node.scope = NodeKind.MODEL, dotted
        elif dotted.startswith("torch.optim.") and dotted.count(".") == 2:
            node.kind = NodeKind.OPTIMIZER


def _batch_outputs(function: FunctionNode, context: Context) -> list[str]:
    names: list[str] = []
    loss = context.functions.get("loss")
    if loss is not None:
        names = [item.arg for item in loss.args.args[1:]]
    value = _returned(function)
    count = len(value.elts) if isinstance(value, ast.Tuple) else max(len(names), 1)
    if isinstance(value, ast.Tuple) and len(names) < count:
        names += [
            item.id if isinstance(item, ast.Name) else f"output{place + 1}"
            for place, item in enumerate(value.elts)
        ][len(names) :]
    return (names or ["output"])[:count]


def _returned(function: FunctionNode) -> ast.expr | None:
    """What the last return of a function gives, simple variables followed."""
    value: ast.expr | None = None
    assigned: dict[str, ast.expr] = {}
    for statement in function.body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    assigned[target.id] = statement.value
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if statement.value is not None:
                assigned[statement.target.id] = statement.value
        elif isinstance(statement, ast.Return):
            value = statement.value
    for _ in range(20):
        if not isinstance(value, ast.Name) or value.id not in assigned:
            break
        value = assigned[value.id]
    return value


def _returned_call(function: FunctionNode, context: Context) -> ast.Call | None:
    value = _returned(function)
    return _innermost(value, context) if value is not None else None


def _innermost(value: ast.expr, context: Context) -> ast.Call | None:
    """The constructor in ``Net(3).to(device)`` and ``torch.compile(Net(3))``."""
    for _ in range(50):
        if not isinstance(value, ast.Call):
            return None
        dotted = context.imports.resolve(value.func) or ""
        if dotted in context.classes:
            return value
        if dotted in ("torch.compile", "torch.nn.DataParallel") and value.args:
            value = value.args[0]
        elif isinstance(value.func, ast.Attribute) and isinstance(value.func.value, ast.Call):
            value = value.func.value
        else:
            return value
    return None


def _last_name(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else "call"


def _reads(function: FunctionNode, variable: str) -> list[ast.expr]:
    return [
        node
        for node in walk(function)
        if isinstance(node, ast.Name) and node.id == variable and isinstance(node.ctx, ast.Load)
    ]
