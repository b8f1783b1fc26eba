"""Reads statements and calls of a file in order, as far as the syntax alone tells.

`Reader.make` follows a constructor, `Reader.call` a function: numbers are computed, layers are
noted with their arguments, tensors are carried along by their shapes. Nothing is executed; what
cannot be known is `UNKNOWN`, and all work is bounded.
"""

import ast
from collections.abc import Sequence
from typing import Any

from paramscope.code.parse import Analysis
from paramscope.code.reading.expressions import Expressions, Names
from paramscope.code.reading.plain import (
    FUNCTIONS,
    MOST_ROUNDS,
    computed,
    container_method,
    extend,
    truth_of,
)
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
from paramscope.code.shape_rules import Misfit
from paramscope.code.syntax import FunctionNode

DEEPEST = 40


class _Returned(Exception):  # noqa: N818  (carries an answer)
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class _Broken(Exception):  # noqa: N818  (a `break` or `continue`)
    pass


class Reader(Expressions):
    """Reads one file."""

    def __init__(self, analysis: Analysis) -> None:
        super().__init__(analysis.tree, analysis.context.imports)
        self._depth = 0

    # What is asked of it

    def evaluate(self, text: str) -> Any:
        """Return what an expression of the file stands for. Raises: SyntaxError, Misfit, Bound."""
        self._steps = 0
        return self.value(ast.parse(text.strip(), mode="eval").body, {})

    def forward(self, model: Any, given: Sequence[Any]) -> Any:
        """Follow a model's ``forward``. Raises: Misfit where shapes don't fit, Bound."""
        self._steps = 0
        return self.call(model, list(given), {}, None)

    def method(self, thing: Thing, name: str) -> FunctionNode | None:
        """Return a method of an object's class or of its bases in this file."""
        for node in self._lineage(thing.node):
            for item in node.body:
                if isinstance(item, FunctionNode) and item.name == name:
                    return item
        return None

    # Calls

    def call(
        self, called: Any, arguments: list[Any], keywords: dict[str, Any], node: ast.expr | None
    ) -> Any:
        """Return what a call gives: of a class, a function, a layer or a model."""
        self._depth += 1
        try:
            if self._depth > DEEPEST:
                raise Bound
            if isinstance(called, Class):
                return self.make(called.node, arguments, keywords)
            if isinstance(called, Function):
                return self._run(called, arguments, keywords)
            if isinstance(called, Thing):
                forward = self.method(called, "forward") or self.method(called, "__call__")
                if forward is None:
                    return UNKNOWN
                return self._run(Function(forward, {}, called), arguments, keywords)
            if isinstance(called, Layer):
                return self._call_layer(called, arguments, keywords, node)
            if isinstance(called, Dotted):
                return self._call_dotted(called.name, arguments, keywords, node)
            return UNKNOWN
        finally:
            self._depth -= 1

    def make(self, node: ast.ClassDef, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Return an object of a class of the file, with what its ``__init__`` assigns."""
        thing = Thing(node)
        fields = []
        for base in reversed(self._lineage(node)):
            for item in base.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    fields.append(item.target.id)
                    if item.value is not None:
                        thing.values[item.target.id] = self.value(item.value, {})
                elif isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
                    thing.values[item.targets[0].id] = self.value(item.value, {})
        init = self.method(thing, "__init__")
        if init is not None:
            self._run(Function(init, {}, thing), arguments, keywords)
        else:
            thing.values.update(zip(fields, arguments, strict=False))
            thing.values.update(keywords)
        return thing

    def _run(self, function: Function, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        names = dict(function.names)
        names.update(self._bound(function, arguments, keywords))
        if isinstance(function.node, ast.Lambda):
            return self.value(function.node.body, names)
        try:
            self._read_block(function.node.body, names)
        except _Returned as returned:
            return returned.value
        except _Broken:
            pass
        return None

    def _bound(self, function: Function, arguments: list[Any], keywords: dict[str, Any]) -> Names:
        signature = function.node.args
        listed = [one.arg for one in (*signature.posonlyargs, *signature.args)]
        given = list(arguments)
        is_static = any(
            isinstance(one, ast.Name) and one.id == "staticmethod"
            for one in getattr(function.node, "decorator_list", [])
        )
        if function.owner is not None and not is_static:
            given.insert(0, function.owner)
        names: Names = {}
        defaults = dict(zip(reversed(listed), reversed(signature.defaults), strict=False))
        only = [one.arg for one in signature.kwonlyargs]
        defaults |= {
            name: default
            for name, default in zip(only, signature.kw_defaults, strict=True)
            if default is not None
        }
        for name in (*listed, *only):
            names[name] = self.value(defaults[name], {}) if name in defaults else UNKNOWN
        names.update(zip(listed, given, strict=False))
        names.update({name: v for name, v in keywords.items() if name in names})
        if signature.vararg is not None:
            names[signature.vararg.arg] = tuple(given[len(listed) :])
        if signature.kwarg is not None:
            rest = {name: v for name, v in keywords.items() if name not in names}
            names[signature.kwarg.arg] = rest
        return names

    def _call_layer(
        self, layer: Layer, arguments: list[Any], keywords: dict[str, Any], node: ast.expr | None
    ) -> Any:
        if layer.name == "Sequential":
            value = arguments[0] if arguments else UNKNOWN
            for item in layer.items.values():
                value = self.call(item, [value], {}, node)
            return value
        return self.calls.layer(layer, arguments, keywords, node)

    def _call_dotted(
        self, name: str, arguments: list[Any], keywords: dict[str, Any], node: ast.expr | None
    ) -> Any:
        head, _, last = name.rpartition(".")
        if name == "range":
            known = bool(arguments) and all(isinstance(item, int) for item in arguments)
            return list(range(*arguments)[:MOST_ROUNDS]) if known else UNKNOWN
        if name in FUNCTIONS:
            try:
                return FUNCTIONS[name](*arguments, **keywords)
            except (TypeError, ValueError, OverflowError, ArithmeticError, AttributeError):
                return UNKNOWN
        if name in ("getattr", "hasattr") and len(arguments) > 1:
            return self._attribute(arguments[0], str(arguments[1])) if name == "getattr" else True
        if head in ("torch.nn", "") and last == "Parameter":
            inner = arguments[0] if arguments else UNKNOWN
            return Tensor(inner.shape) if isinstance(inner, Tensor) else Tensor()
        is_layer = head == "torch.nn" or head.startswith("torch.nn.modules")
        if is_layer or (not head and "torch.nn" in self.imports.stars and last[:1].isupper()):
            return self.calls.make_layer(last, arguments, keywords)
        if head in ("torch", "torch.nn.functional", "torch.special", "torch.linalg"):
            return self.calls.function(last, arguments, keywords, node)
        if last == "deepcopy" and arguments:
            return arguments[0]
        return UNKNOWN

    def _call_method(
        self,
        holder: Any,
        name: str,
        arguments: list[Any],
        keywords: dict[str, Any],
        node: ast.Call,
        names: Names,
    ) -> Any:
        if isinstance(holder, Dotted) and holder.name == "super()":
            return self._call_super(name, arguments, keywords, names)
        if isinstance(holder, Tensor):
            return self.calls.method(holder, name, arguments, keywords, node)
        if isinstance(holder, Thing):
            if self._register(holder, name, arguments, keywords):
                return None
            if self.method(holder, name) is None and name not in holder.values:
                return holder if name in ("to", "cuda", "cpu", "train", "eval") else UNKNOWN
        if isinstance(holder, Layer):
            if name in ("append", "add_module", "insert") and arguments:
                holder.items[str(len(holder.items))] = arguments[-1]
                return None
            if name in ("values", "items", "keys"):
                return list(getattr(holder.items, name)())
            if name == "forward":
                return self.call(holder, arguments, keywords, node)
            if name in ("to", "cuda", "cpu", "train", "eval", "apply", "requires_grad_"):
                return holder
        if isinstance(holder, list | dict | str):
            return container_method(holder, name, arguments)
        return self.call(self._attribute(holder, name), arguments, keywords, node)

    def _call_super(
        self, name: str, arguments: list[Any], keywords: dict[str, Any], names: Names
    ) -> Any:
        """Follow the base class's method, where that base is in this file."""
        me = next((value for value in names.values() if isinstance(value, Thing)), None)
        if me is None:
            return UNKNOWN
        methods = [
            item
            for node in self._lineage(me.node)
            for item in node.body
            if isinstance(item, FunctionNode) and item.name == name
        ]
        if len(methods) < 2 or self._depth > DEEPEST // 2:
            return UNKNOWN
        return self._run(Function(methods[1], {}, me), arguments, keywords)

    def _register(
        self, thing: Thing, name: str, arguments: list[Any], keywords: dict[str, Any]
    ) -> bool:
        if name not in ("register_buffer", "register_parameter", "add_module", "register_module"):
            return False
        given = [*arguments, *keywords.values()]
        if len(given) > 1 and isinstance(given[0], str):
            thing.values[given[0]] = given[1]
        return True

    # Statements

    def _read_block(self, body: Sequence[ast.stmt], names: Names) -> None:
        for statement in body:
            self._take_step()
            self._read_statement(statement, names)

    def _read_statement(self, statement: ast.stmt, names: Names) -> None:
        if isinstance(statement, ast.Assign):
            value = self.value(statement.value, names)
            for target in statement.targets:
                self._assign(target, value, names)
        elif isinstance(statement, ast.AnnAssign):
            if statement.value is not None:
                self._assign(statement.target, self.value(statement.value, names), names)
        elif isinstance(statement, ast.AugAssign):
            self._augment(statement, names)
        elif isinstance(statement, ast.Expr):
            self.value(statement.value, names)
        elif isinstance(statement, ast.Return):
            raise _Returned(self.value(statement.value, names))
        elif isinstance(statement, ast.If):
            self._branch(statement, names)
        elif isinstance(statement, ast.For):
            self._loop(statement, names)
        elif isinstance(statement, ast.With | ast.Try):
            self._read_block(statement.body, names)
        elif isinstance(statement, ast.FunctionDef):
            names[statement.name] = Function(statement, names)
        elif isinstance(statement, ast.Assert):
            if truth_of(self.value(statement.test, names)) is False:
                raise Misfit(f"the assertion in line {statement.lineno} does not hold")
        elif isinstance(statement, ast.Raise):
            raise Misfit(f"line {statement.lineno} raises an error")
        elif isinstance(statement, ast.Break | ast.Continue):
            raise _Broken

    def _assign(self, target: ast.expr, value: Any, names: Names) -> None:
        if isinstance(target, ast.Name):
            names[target.id] = value
        elif isinstance(target, ast.Attribute):
            holder = self.value(target.value, names)
            if isinstance(holder, Thing):
                holder.values[target.attr] = value
        elif isinstance(target, ast.Subscript):
            holder = self.value(target.value, names)
            key = self.value(target.slice, names)
            if isinstance(holder, dict) and isinstance(key, str | int):
                holder[key] = value
        elif isinstance(target, ast.Tuple | ast.List):
            for one, item in zip(target.elts, self._parts(value, len(target.elts)), strict=False):
                self._assign(one, item, names)

    def _parts(self, value: Any, count: int) -> Sequence[Any]:
        if isinstance(value, list | tuple):
            return value
        if isinstance(value, Tensor) and value.input:
            self.calls.note_rank(value, count)
        return [UNKNOWN] * count

    def _augment(self, statement: ast.AugAssign, names: Names) -> None:
        target = statement.target
        old, added = self.value(target, names), self.value(statement.value, names)
        if isinstance(old, list) and isinstance(added, list | tuple):
            extend(old, added)
            return
        if isinstance(old, Tensor) or isinstance(added, Tensor):
            value = self.calls.combined(old, added, statement)
        else:
            value = computed(statement.op, old, added)
        self._assign(target, value, names)

    def _branch(self, statement: ast.If, names: Names) -> None:
        test = truth_of(self.value(statement.test, names))
        if test is None:
            # A guard that leaves is not taken; of two ways the first is as good as the other.
            leaves = isinstance(statement.body[-1], ast.Raise | ast.Return | ast.Continue)
            test = not leaves
        self._read_block(statement.body if test else statement.orelse, names)

    def _loop(self, statement: ast.For, names: Names) -> None:
        items = self._iterated(self.value(statement.iter, names))
        for item in [UNKNOWN] if items is None else items[:MOST_ROUNDS]:
            self._assign(statement.target, item, names)
            try:
                self._read_block(statement.body, names)
            except _Broken:
                continue

    # Small parts

    def _lineage(self, node: ast.ClassDef) -> list[ast.ClassDef]:
        found: list[ast.ClassDef] = []
        queue = [node]
        while queue and len(found) < DEEPEST:
            current = queue.pop(0)
            if current not in found:
                found.append(current)
                names = [base.id for base in current.bases if isinstance(base, ast.Name)]
                queue.extend(self.classes[name] for name in names if name in self.classes)
        return found
