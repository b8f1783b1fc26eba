"""Plain values while a source is read: operators, builtins, lists, dicts, truth."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from paramscope.code.reading.values import UNKNOWN, Class, Dotted, Function, Layer, Tensor, Thing

MOST_ROUNDS = 300  # of one loop
MOST_ITEMS = 10_000
LARGEST = 1 << 40

_OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "len": len,
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "abs": abs,
    "round": round,
    "max": max,
    "min": min,
    "sum": sum,
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "reversed": lambda items: list(reversed(items)),
    "enumerate": lambda items, start=0: list(enumerate(items, start)),
    "zip": lambda *items: list(zip(*items, strict=False)),
    "collections.OrderedDict": dict,
    "math.sqrt": math.sqrt,
    "math.log": math.log,
    "math.log2": math.log2,
    "math.ceil": math.ceil,
    "math.floor": math.floor,
    "math.prod": math.prod,
    "numpy.prod": lambda items: math.prod(items),
    "numpy.sqrt": math.sqrt,
    "numpy.log2": math.log2,
    "numpy.ceil": math.ceil,
}


def computed(sign: ast.AST, left: Any, right: Any) -> Any:
    """Return what an operator gives, `UNKNOWN` where that cannot or need not be known."""
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if isinstance(sign, ast.Pow):
        small = isinstance(left, int | float) and isinstance(right, int | float)
        if not small or abs(right) > 64 or abs(left) > 1e6:
            return UNKNOWN
        return left**right if left or right >= 0 else UNKNOWN
    action = _OPERATORS.get(type(sign))
    if isinstance(sign, ast.Mod) and not isinstance(left, int | float):
        return UNKNOWN  # a text's format may ask for any length
    if isinstance(sign, ast.Add) and isinstance(left, list | tuple | str):
        if isinstance(right, list | tuple | str) and len(left) + len(right) > MOST_ITEMS:
            return UNKNOWN
    if action is None or (isinstance(sign, ast.Mult) and _is_large(left, right)):
        return UNKNOWN
    try:
        value = action(left, right)
    except (TypeError, ValueError, ArithmeticError):
        return UNKNOWN
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return UNKNOWN if is_number and abs(value) > LARGEST else value


def truth_of(value: Any) -> bool | None:
    """Return whether a value counts as true; None if only running the code would tell."""
    if value is UNKNOWN or isinstance(value, Tensor | Dotted):
        return None
    return bool(value) if not isinstance(value, Thing | Layer | Function | Class) else True


def extend(items: list[Any], more: Any) -> None:
    """Put more items behind a list, as long as it stays short enough to be read."""
    if isinstance(more, list | tuple) and len(items) + len(more) <= MOST_ITEMS:
        items.extend(more)


def container_method(holder: Any, name: str, arguments: list[Any]) -> Any:
    """Return what a method of a list, dict or text gives."""
    if isinstance(holder, list) and name == "append" and arguments:
        holder.append(arguments[0])
        return None
    if isinstance(holder, list) and name == "extend" and arguments:
        extend(holder, arguments[0])
        return None
    if isinstance(holder, dict) and name in ("items", "keys", "values"):
        return list(getattr(holder, name)())
    if isinstance(holder, dict) and name == "get" and arguments:
        default = arguments[1] if len(arguments) > 1 else None
        try:
            return holder.get(arguments[0], default)
        except TypeError:
            return UNKNOWN
    if isinstance(holder, list | dict) and name == "copy":
        return holder.copy()
    if isinstance(holder, str) and name in ("lower", "upper", "strip") and not arguments:
        return getattr(holder, name)()
    return UNKNOWN


def _is_large(left: Any, right: Any) -> bool:
    """Tell whether ``left * right`` would make a sequence that is too long to follow."""
    for items, count in ((left, right), (right, left)):
        if isinstance(items, list | tuple | str):
            return not isinstance(count, int) or len(items) * max(count, 0) > MOST_ROUNDS
    return False
