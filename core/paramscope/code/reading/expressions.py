"""Expressions of a source, read without running them; `reader` adds statements and calls."""

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from paramscope.code.names import Imports
from paramscope.code.reading.plain import MOST_ROUNDS, computed, truth_of
from paramscope.code.reading.tensors import Calls, tensor_attribute
from paramscope.code.reading.values import (
    UNKNOWN,
    Bound,
    Class,
    Dotted,
    Function,
    Layer,
    Tensor,
    Thing,
)
from paramscope.code.syntax import FunctionNode

MOST_STEPS = 60_000
Names = dict[str, Any]
_PARSED = ("parse_args", "parse_known_args")


class Expressions(ABC):
    """Returns what expressions stand for. ``calls`` notes what layers wish of tensors."""

    def __init__(self, tree: ast.Module, imports: Imports) -> None:
        self.imports = imports
        self.classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
        self.functions = {n.name: n for n in tree.body if isinstance(n, FunctionNode)}
        self.calls = Calls()
        self._tree = tree
        self._constants = dict(_constants_of(tree))
        self._globals: Names = {}
        self._steps = 0
        self.steps_taken = 0  # of all readings together

    @abstractmethod
    def call(
        self, called: Any, arguments: list[Any], keywords: dict[str, Any], node: ast.expr | None
    ) -> Any:
        """Return what a call gives: of a class, a function, a layer or a model."""

    @abstractmethod
    def method(self, thing: Thing, name: str) -> FunctionNode | None:
        """Return a method of an object's class or of its bases in this file."""

    @abstractmethod
    def _call_method(
        self,
        holder: Any,
        name: str,
        arguments: list[Any],
        keywords: dict[str, Any],
        node: ast.Call,
        names: Names,
    ) -> Any: ...

    @abstractmethod
    def _assign(self, target: ast.expr, value: Any, names: Names) -> None: ...

    def value(self, node: ast.expr | None, names: Names) -> Any:
        """Return what an expression stands for."""
        self._take_step()
        if node is None:
            return None
        reading = getattr(self, f"_read_{type(node).__name__.lower()}", None)
        return UNKNOWN if reading is None else reading(node, names)

    def _read_constant(self, node: ast.Constant, _: Names) -> Any:
        return node.value

    def _read_name(self, node: ast.Name, names: Names) -> Any:
        return names[node.id] if node.id in names else self._global(node.id)

    def _read_tuple(self, node: ast.Tuple, names: Names) -> Any:
        return tuple(self._items(node.elts, names))

    def _read_list(self, node: ast.List, names: Names) -> Any:
        return self._items(node.elts, names)

    def _read_dict(self, node: ast.Dict, names: Names) -> Any:
        found: dict[Any, Any] = {}
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.value(item, names)
            if key is None:
                found.update(value if isinstance(value, dict) else {})
            else:
                name = self.value(key, names)
                found[name if isinstance(name, str | int) else str(len(found))] = value
        return found

    def _read_joinedstr(self, node: ast.JoinedStr, names: Names) -> Any:
        parts = []
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            value = self.value(inner, names)
            if not isinstance(value, str | int):
                return UNKNOWN
            parts.append(str(value))
        return "".join(parts)

    def _read_ifexp(self, node: ast.IfExp, names: Names) -> Any:
        test = truth_of(self.value(node.test, names))
        return self.value(node.orelse if test is False else node.body, names)

    def _read_boolop(self, node: ast.BoolOp, names: Names) -> Any:
        value: Any = UNKNOWN
        for item in node.values:
            value = self.value(item, names)
            truth = truth_of(value)
            if truth is None:
                return UNKNOWN
            if truth is isinstance(node.op, ast.Or):
                return value
        return value

    def _read_unaryop(self, node: ast.UnaryOp, names: Names) -> Any:
        value = self.value(node.operand, names)
        if isinstance(node.op, ast.Not):
            truth = truth_of(value)
            return UNKNOWN if truth is None else not truth
        if isinstance(value, Tensor):
            return value
        if isinstance(node.op, ast.USub) and isinstance(value, int | float):
            return -value
        return UNKNOWN

    def _read_binop(self, node: ast.BinOp, names: Names) -> Any:
        left, right = self.value(node.left, names), self.value(node.right, names)
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            if isinstance(node.op, ast.MatMult):
                return self.calls.operation("matmul", [left, right], {}, node)
            return self.calls.combined(left, right, node)
        return computed(node.op, left, right)

    def _read_compare(self, node: ast.Compare, names: Names) -> Any:
        left, right = self.value(node.left, names), self.value(node.comparators[0], names)
        if isinstance(left, Tensor) and isinstance(node.ops[0], ast.Is | ast.IsNot):
            return isinstance(node.ops[0], ast.IsNot) if right is None else UNKNOWN
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            return self.calls.combined(left, right, node)
        if len(node.ops) > 1:
            return UNKNOWN
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            known = isinstance(right, list | tuple | dict | str) and isinstance(left, int | str)
            if not known or (isinstance(right, str) and not isinstance(left, str)):
                return UNKNOWN
            return (left in right) is isinstance(node.ops[0], ast.In)
        return computed(node.ops[0], left, right)

    def _read_lambda(self, node: ast.Lambda, names: Names) -> Any:
        return Function(node, names)

    def _read_listcomp(self, node: ast.ListComp, names: Names) -> Any:
        return self._comprehension(node, names)

    def _read_generatorexp(self, node: ast.GeneratorExp, names: Names) -> Any:
        return self._comprehension(node, names)

    def _read_attribute(self, node: ast.Attribute, names: Names) -> Any:
        return self._attribute(self.value(node.value, names), node.attr)

    def _read_subscript(self, node: ast.Subscript, names: Names) -> Any:
        holder = self.value(node.value, names)
        if isinstance(holder, Tensor):
            index = node.slice
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            return self.calls.indexed(holder, [self._index(part, names) for part in parts])
        if isinstance(node.slice, ast.Slice):
            bounds = self._index(node.slice, names)
            if isinstance(holder, Layer):
                return Layer("Sequential", {}, dict(_slice_of(holder, bounds)))
            known = isinstance(holder, list | tuple | str) and isinstance(bounds, slice)
            return holder[bounds] if known else UNKNOWN
        return self._item(holder, self.value(node.slice, names))

    def _read_call(self, node: ast.Call, names: Names) -> Any:
        function = node.func
        if isinstance(function, ast.Name) and function.id == "super" and "super" not in names:
            return Dotted("super()")
        arguments = self._items(node.args, names)
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value, names)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, dict):
                keywords.update({str(name): item for name, item in value.items()})
        if isinstance(function, ast.Attribute):
            holder = self.value(function.value, names)
            return self._call_method(holder, function.attr, arguments, keywords, node, names)
        return self.call(self.value(function, names), arguments, keywords, node)

    # Parts

    def _take_step(self) -> None:
        self._steps += 1
        self.steps_taken += 1
        if self._steps > MOST_STEPS:
            raise Bound

    def _items(self, nodes: Iterable[ast.expr], names: Names) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                value = self._iterated(self.value(node.value, names))
                found.extend(value if value is not None else [UNKNOWN])
            else:
                found.append(self.value(node, names))
        return found

    def _iterated(self, value: Any) -> list[Any] | None:
        if isinstance(value, Layer):
            return list(value.items.values())
        if isinstance(value, dict):
            return list(value)
        return list(value) if isinstance(value, list | tuple) else None

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp, names: Names) -> Any:
        if len(node.generators) != 1:
            return UNKNOWN
        part = node.generators[0]
        items = self._iterated(self.value(part.iter, names))
        found = []
        for item in [UNKNOWN] if items is None else items[:MOST_ROUNDS]:
            inner = dict(names)
            self._assign(part.target, item, inner)
            if all(truth_of(self.value(test, inner)) is not False for test in part.ifs):
                found.append(self.value(node.elt, inner))
        return found

    def _attribute(self, holder: Any, name: str) -> Any:
        if isinstance(holder, Thing):
            if name in holder.values:
                return holder.values[name]
            method = self.method(holder, name)
            if method is None:
                return UNKNOWN
            function = Function(method, {}, holder)
            decorators = [getattr(one, "id", "") for one in method.decorator_list]
            return self.call(function, [], {}, None) if "property" in decorators else function
        if isinstance(holder, Dotted):
            return Dotted(f"{holder.name}.{name}")
        if isinstance(holder, Tensor):
            return tensor_attribute(holder, name)
        if isinstance(holder, Layer):
            if name in holder.items:
                return holder.items[name]
            return self.calls.layer_attribute(holder, name)
        if isinstance(holder, Class):
            return self._attribute(Thing(holder.node, dict(self._fields(holder.node))), name)
        return UNKNOWN

    def _fields(self, node: ast.ClassDef) -> Iterable[tuple[str, Any]]:
        for item in node.body:
            target = item.targets[0] if isinstance(item, ast.Assign) else None
            if isinstance(item, ast.AnnAssign) and item.value is not None:
                target = item.target
            if isinstance(target, ast.Name) and isinstance(item, ast.Assign | ast.AnnAssign):
                yield target.id, self.value(item.value, {})

    def _item(self, holder: Any, key: Any) -> Any:
        if isinstance(holder, Layer):
            items = list(holder.items.values())
            if isinstance(key, str):
                return holder.items.get(key, UNKNOWN)
            holder = items
        try:
            return holder[key]
        except (TypeError, KeyError, IndexError):
            return UNKNOWN

    def _index(self, node: ast.expr, names: Names) -> Any:
        if not isinstance(node, ast.Slice):
            return self.value(node, names)
        bounds = [self.value(part, names) for part in (node.lower, node.upper, node.step)]
        known = all(bound is None or isinstance(bound, int) for bound in bounds)
        return slice(*bounds) if known else UNKNOWN

    def _global(self, name: str) -> Any:
        if name in self.classes:
            return Class(self.classes[name])
        if name in self.functions:
            return Function(self.functions[name])
        if name in self._globals:
            return self._globals[name]
        if name in self._constants:
            self._globals[name] = UNKNOWN  # while it is read, it knows nothing of itself
            written = self._constants[name]
            if isinstance(written, ast.Call) and _last_name(written.func) in _PARSED:
                self._globals[name] = self._command_line()
            else:
                self._globals[name] = self.value(written, {})
            return self._globals[name]
        return Dotted(self.imports.names.get(name, name))

    def _command_line(self) -> Layer:
        """Return the defaults of the file's ``argparse`` options, by name."""
        found: dict[str, Any] = {}
        for call in ast.walk(self._tree):
            if not isinstance(call, ast.Call) or _last_name(call.func) != "add_argument":
                continue
            names = [one.value for one in call.args if isinstance(one, ast.Constant)]
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            name = next((str(one) for one in names if str(one).startswith("--")), "")
            name = name.lstrip("-").replace("-", "_")
            if name and "default" in given:
                found[name] = self.value(given["default"], {})
            elif name and "action" in given:
                found[name] = False
        return Layer("Namespace", found)


def _constants_of(tree: ast.Module) -> Iterable[tuple[str, ast.expr]]:
    """Yield the names that the top of the file gives a value, with it."""
    for statement in tree.body:
        target: ast.expr | None = None
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            target = statement.target
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name):
            if statement.value is not None:
                yield target.id, statement.value


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _slice_of(layer: Layer, bounds: Any) -> list[tuple[str, Any]]:
    """Return the slice of a container's items."""
    items = list(layer.items.items())
    return items[bounds] if isinstance(bounds, slice) else items
