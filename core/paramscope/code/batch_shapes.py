"""What ``batch()`` gives, as far as the syntax tells: the shapes that enter an empty model.

Before anything has run, a layer that is added to the model's input takes its size from here.
What is not written out in plain factories stays unknown.
"""

import ast
from collections.abc import Sequence

from paramscope.code.parse import SourceError, analyze
from paramscope.code.shape_rules import Shape, Size

_LITERAL = frozenset({"tensor", "as_tensor", "array", "FloatTensor"})
_SIZED = frozenset({"randn", "rand", "zeros", "ones", "empty"})
_SAME = frozenset(
    {"float", "double", "long", "to", "clone", "detach", "contiguous", "requires_grad_"}
    | {"sin", "cos", "tanh", "exp", "abs", "sqrt", "square", "sigmoid", "sign", "from_numpy"}
    | {"randn_like", "rand_like", "zeros_like", "ones_like"}
)


def batch_shapes(source: str) -> tuple[Shape | None, ...]:
    """Return the shapes of what ``batch()`` returns, None for each that is unknown.

    >>> batch_shapes("def batch():\\n    x = torch.randn(16, 2)\\n    return x, x.sum()")
    ((16, 2), None)
    """
    try:
        tree = analyze(source).tree  # read already, if it is the document's
    except SourceError:
        return ()
    known: dict[str, Shape | None] = {}
    _read(tree.body, known)
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "batch":
            returned = _read(statement.body, known)
            if isinstance(returned, ast.Tuple):
                return tuple(_shape(item, known) for item in returned.elts)
            return () if returned is None else (_shape(returned, known),)
    return ()


def _read(body: Sequence[ast.stmt], known: dict[str, Shape | None]) -> ast.expr | None:
    """Note the shapes of simple assignments; return what the last ``return`` gives."""
    returned: ast.expr | None = None
    for statement in body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                known[target.id] = _shape(statement.value, known)
        elif isinstance(statement, ast.Return):
            returned = statement.value
    return returned


def _shape(value: ast.expr, known: dict[str, Shape | None]) -> Shape | None:
    if isinstance(value, ast.Name):
        return known.get(value.id)
    if isinstance(value, ast.Constant | ast.UnaryOp):
        return () if isinstance(value, ast.Constant) else _shape(value.operand, known)
    if isinstance(value, ast.BinOp) and not isinstance(value.op, ast.MatMult):
        return _broadcast(_shape(value.left, known), _shape(value.right, known))
    if isinstance(value, ast.Call):
        return _call_shape(value, known)
    return None


def _call_shape(call: ast.Call, known: dict[str, Shape | None]) -> Shape | None:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else ""
    if name in _LITERAL and call.args:
        return _literal_shape(call.args[0])
    if name in _SIZED:
        single = call.args[0] if len(call.args) == 1 else None
        return _sizes(single.elts if isinstance(single, ast.Tuple | ast.List) else call.args)
    if name == "randint":
        sizes = next((item for item in call.args if isinstance(item, ast.Tuple)), None)
        return None if sizes is None else _sizes(sizes.elts)
    if name in _SAME and isinstance(function, ast.Attribute):
        is_function = isinstance(function.value, ast.Name) and function.value.id not in known
        if is_function:
            return _shape(call.args[0], known) if call.args else None
        return _shape(function.value, known)
    return None


def _sizes(items: Sequence[ast.expr]) -> Shape | None:
    sizes: list[Size] = []
    for item in items:
        if not isinstance(item, ast.Constant) or not isinstance(item.value, int):
            return None
        sizes.append(item.value)
    return tuple(sizes) or None


def _literal_shape(value: ast.expr) -> Shape | None:
    shape: list[Size] = []
    while isinstance(value, ast.List | ast.Tuple):
        if not value.elts:
            return None
        shape.append(len(value.elts))
        value = value.elts[0]
    return tuple(shape) if isinstance(value, ast.Constant | ast.UnaryOp) else None


def _broadcast(first: Shape | None, second: Shape | None) -> Shape | None:
    if first is None or second is None:
        return None
    longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
    padded = (1,) * (len(longer) - len(shorter)) + shorter
    return tuple(b if a == 1 else a for a, b in zip(longer, padded, strict=True))
