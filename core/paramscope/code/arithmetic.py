"""Values of argument texts, as far as they are plain arithmetic: ``4 * width``, ``(3, 3)``."""

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache

# Results beyond this are no sizes of anything; and powers could fill the memory.
_LARGEST = 1 << 40
_OPERATORS: dict[type[ast.operator], Callable[[int, int], object]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Div: operator.truediv,
}


class Unknown(Exception):  # noqa: N818  (an answer, not a fault)
    """The text needs something that only running the code would tell."""


def value_of(text: str, names: Mapping[str, object]) -> object:
    """Return the value of an expression of literals, arithmetic and known names.

    Raises: Unknown when it is anything else.
    """
    tree = _parsed(text.strip())
    if tree is None:
        raise Unknown
    return _value(tree, names, 0)


@lru_cache(maxsize=4_000)
def _parsed(text: str) -> ast.expr | None:
    """The syntax of an argument; layers have the same few, over and over."""
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _value(node: ast.expr, names: Mapping[str, object], depth: int) -> object:
    if depth > 50:
        raise Unknown
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(_value(item, names, depth + 1) for item in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(node.operand, names, depth + 1)
        if isinstance(value, int | float):
            return -value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left = _value(node.left, names, depth + 1)
        right = _value(node.right, names, depth + 1)
        if isinstance(left, int) and isinstance(right, int):
            try:
                result = _OPERATORS[type(node.op)](left, right)
            except ZeroDivisionError:
                raise Unknown from None
            if isinstance(result, int | float) and abs(result) < _LARGEST:
                return result
    raise Unknown
