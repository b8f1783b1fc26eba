"""From expressions to nodes: calls, operators, members, and what cannot be drawn."""

import ast
from collections.abc import Sequence

from paramscope.code.binding import (
    Signature,
    call_signature,
    constructor_arguments,
    dotted_signature,
    function_signature,
    method_signature,
    named_arguments,
)
from paramscope.code.draft import HOLE, Draft, Input, Source, Value, in_order
from paramscope.code.drawing import DrawingState
from paramscope.code.graph import Argument, NodeKind
from paramscope.code.members import MemberKind
from paramscope.code.operations import OPERATORS
from paramscope.code.syntax import elements, operand_names, stored_names

# Expressions nested deeper than this are drawn as one code node (and recursion is bounded).
_DEEPEST = 60
_OPAQUE = (
    ast.Lambda,
    ast.IfExp,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.JoinedStr,
    ast.NamedExpr,
    ast.Await,
    ast.Yield,
    ast.YieldFrom,
)
# Functions that give plain numbers and strings when they are given no tensor.
_PLAIN_CALLS = frozenset(
    {
        "len",
        "int",
        "float",
        "bool",
        "str",
        "range",
        "max",
        "min",
        "abs",
        "round",
        "tuple",
        "list",
        "dict",
        "set",
        "sum",
        "isinstance",
        "getattr",
        "hasattr",
        "type",
        "id",
        "repr",
        "sorted",
        "zip",
        "enumerate",
        "slice",
        "super",
        "print",
    }
)


class Expressions(DrawingState):
    """Draws one expression after the other; a plain constant makes no node."""

    def value(self, expression: ast.expr, depth: int = 0) -> Value:
        """Draw an expression; None means that it is a plain constant."""
        if isinstance(expression, ast.Constant):
            return HOLE if expression.value is ... else None
        if isinstance(expression, ast.Name):
            return self.environment.get(expression.id)
        if depth > _DEEPEST or isinstance(expression, _OPAQUE):
            return self._opaque(expression)
        if isinstance(expression, ast.Call):
            return self._call(expression, depth)
        if isinstance(expression, ast.Attribute):
            return self._attribute(expression, depth)
        if isinstance(expression, ast.Subscript):
            return self._subscript(expression, depth)
        if isinstance(expression, ast.BinOp):
            operands = [("input", expression.left), ("other", expression.right)]
            return self._operator(expression, type(expression.op), operands, depth)
        if isinstance(expression, ast.UnaryOp):
            operands = [("input", expression.operand)]
            return self._operator(expression, type(expression.op), operands, depth)
        if isinstance(expression, ast.Compare):
            operands = list(
                zip(
                    operand_names(1 + len(expression.comparators)),
                    [expression.left, *expression.comparators],
                    strict=True,
                )
            )
            return self._operator(expression, type(expression.ops[0]), operands, depth)
        if isinstance(expression, ast.BoolOp):
            operands = list(
                zip(operand_names(len(expression.values)), expression.values, strict=True)
            )
            return self._operator(expression, type(expression.op), operands, depth)
        if isinstance(expression, ast.Tuple | ast.List | ast.Set | ast.Dict):
            return self._collection(expression, depth)
        if isinstance(expression, ast.Starred):
            return self.value(expression.value, depth + 1)
        return self._opaque(expression)

    def _opaque(self, expression: ast.expr) -> Value:
        node = Draft(NodeKind.CODE, self.context.text.text(expression), "code", syntax=expression)
        node.text = node.title
        self.read_names(node, [expression])
        written = stored_names(expression)
        if not node.inputs and not written:
            return None
        node.title = node.title.splitlines()[0]
        self.add(node)
        for name in written:  # the walrus
            self.environment[name] = Source(node)
        return Source(node)

    def _operator(
        self,
        expression: ast.expr,
        operator: type[ast.AST],
        operands: Sequence[tuple[str, ast.expr]],
        depth: int,
    ) -> Value:
        symbol, name = OPERATORS[operator]
        values = [self.value(operand, depth + 1) for _, operand in operands]
        if all(value is None for value in values):
            return None
        node = Draft(NodeKind.OPERATION, symbol, name, syntax=expression)
        for (port, operand), value in zip(operands, values, strict=True):
            if value is None:
                node.arguments.append(self.argument(port, operand))
            else:
                node.inputs.append(Input(port, value, (operand,)))
        return Source(self.add(node))

    def _collection(self, expression: ast.expr, depth: int) -> Value:
        items = elements(expression)
        values = [self.value(item, depth + 1) for _, item in items]
        if all(value is None for value in values):
            return None
        word = type(expression).__name__.lower()
        node = Draft(NodeKind.OPERATION, word, word, syntax=expression)
        for (name, item), value in zip(items, values, strict=True):
            if value is None:
                node.arguments.append(self.argument(name, item))
            else:
                node.inputs.append(Input(name, value, (item,)))
        return Source(self.add(node))

    def _attribute(self, expression: ast.Attribute, depth: int) -> Value:
        tensor = self.member_tensor(expression)
        if tensor is not None:
            return tensor
        if self.member_path(expression) is not None or self.is_me(expression.value):
            return None
        value = self.value(expression.value, depth + 1)
        if value is None:
            return None
        node = Draft(NodeKind.OPERATION, f".{expression.attr}", expression.attr, syntax=expression)
        node.inputs.append(Input("input", value, (expression.value,)))
        return Source(self.add(node))

    def _subscript(self, expression: ast.Subscript, depth: int) -> Value:
        base, index = expression.value, expression.slice
        attribute = base.attr if isinstance(base, ast.Attribute) else ""
        if attribute == "shape" and isinstance(base, ast.Attribute):
            # `x.shape[1]` is one thing to the reader.
            base = base.value
        value = self.value(base, depth + 1)
        items = [("index", item) for item in index.elts] if isinstance(index, ast.Tuple) else []
        items = items or [("index", index)]
        wires = []
        for name, item in items:
            if isinstance(item, ast.Constant):
                continue
            parts = [item]
            if isinstance(item, ast.Slice):
                parts = [part for part in (item.lower, item.upper, item.step) if part]
            for part in parts:
                found = self.value(part, depth + 1)
                if isinstance(found, Source):
                    wires.append(Input(name, found, (part,)))
        if value is None and not wires:
            return None
        title = f"[{self.context.text.text(index)}]"
        node = Draft(NodeKind.OPERATION, title, "getitem", syntax=expression)
        if attribute == "shape":
            node.title, node.base = f".shape{title}", "shape"
        if value is not None:
            node.inputs.append(Input("input", value, (base,)))
        for number, wire in enumerate(wires):
            wire.name = "index" if len(wires) == 1 else f"index{number + 1}"
            node.inputs.append(wire)
        if not wires:
            node.arguments.append(self.argument("index", index))
        return Source(self.add(node))

    # Calls

    def _call(self, call: ast.Call, depth: int) -> Value:
        path = self.member_path(call.func)
        if path is not None:
            return self._member_call(call, path, depth)
        if isinstance(call.func, ast.Attribute) and self.is_me(call.func.value):
            return self._method_call(call, call.func.attr, depth)
        dotted = self.context.imports.resolve(call.func)
        receiver: Value = None
        if isinstance(call.func, ast.Attribute):
            head = dotted.split(".")[0] if dotted else None
            if head is None or head in self.environment or not self._is_known(head):
                dotted = None
                receiver = self.value(call.func.value, depth + 1)
        if receiver is not None:
            return self._tensor_method(call, receiver, depth)
        return self._function(call, dotted, depth)

    def _is_known(self, head: str) -> bool:
        return (
            head in self.context.imports.names.values()
            or head in self.context.globals
            or (head in ("torch", "math", "super"))
            or any(target.split(".")[0] == head for target in self.context.imports.names.values())
        )

    def _member_call(self, call: ast.Call, path: str, depth: int) -> Value:
        member = self.member(path)
        kind = member.kind if member is not None else MemberKind.UNKNOWN
        if member is not None and kind is MemberKind.FUNCTION:
            assert member.value is not None
            dotted = self.context.imports.resolve(member.value)
            made = self._function(call, dotted, depth, always=True)
            if isinstance(made, Source):
                made.node.name, made.node.member = path, member
            return made
        node = Draft(NodeKind.MODULE, self.member_title(member, path), path, path, path)
        node.member = member
        node.syntax = call
        self._bind(node, call, call_signature(member, self.context), depth)
        node.arguments = [*constructor_arguments(member, self.context), *node.arguments]
        if member is not None:
            node.scope = self.scope_of(member, path)
        return Source(self.add(node))

    def _method_call(self, call: ast.Call, name: str, depth: int) -> Value:
        node = Draft(NodeKind.OPERATION, name, name, syntax=call)
        method = self.owner.methods.get(name) if self.owner is not None else None
        self._bind(node, call, function_signature(method, self.context), depth)
        if method is not None and self.owner is not None:
            if name in self.owner.own_methods:
                node.scope = f"{self.owner.name}.{name}"
            self.methods.append(name)
        return Source(self.add(node))

    def _tensor_method(self, call: ast.Call, receiver: Value, depth: int) -> Value:
        assert isinstance(call.func, ast.Attribute)
        name = call.func.attr
        node = Draft(NodeKind.OPERATION, name, name.rstrip("_") or name, syntax=call)
        node.inputs.append(Input("input", receiver, (call.func.value,)))
        self._bind(node, call, method_signature(name), depth)
        return Source(self.add(node))

    def _function(
        self, call: ast.Call, dotted: str | None, depth: int, always: bool = False
    ) -> Value:
        if dotted is None and not isinstance(call.func, ast.Attribute):
            inner = self.value(call.func, depth + 1)  # nn.Linear(2, 3)(x)
        else:
            inner = None
        name = self.call_name(call)
        node = Draft(NodeKind.OPERATION, name, name, syntax=call)
        if dotted in self.context.classes:
            node.scope = dotted
        if inner is not None:
            node.inputs.append(Input("function", inner, (call.func,)))
        self._bind(node, call, dotted_signature(dotted, self.context), depth)
        plain = dotted is None or dotted in _PLAIN_CALLS or dotted.startswith("math.")
        plain = plain or (
            name[:1].isupper()
            and isinstance(call.func, ast.Call) is False
            and dotted is not None
            and dotted.startswith("torch.nn")
        )
        if not node.inputs and plain and not always:
            return None
        return Source(self.add(node))

    def _bind(self, node: Draft, call: ast.Call, signature: Signature, depth: int) -> None:
        """Sort the arguments of a call into wires and texts, by the names of its signature."""
        named = named_arguments(call, signature, "other" if node.inputs else "input")
        for name, argument in named:
            self._bind_one(node, name, argument, signature, depth)
        given = {name for name, _ in named}
        for name, required in signature.ports:
            for item in node.inputs:
                if item.name == name:
                    item.required = required
            if name not in given and not any(name in key for key in given if key[:1] == "*"):
                if not any(item.name == name for item in node.inputs):
                    node.inputs.append(Input(name, None, required=required))
        in_order(node.inputs, [name for name, _ in signature.ports])
        taken = {*given, *(item.name for item in node.inputs)}
        for name, default in signature.defaults:
            if name not in taken:
                node.arguments.append(Argument(name, default, None, default))

    def _bind_one(
        self, node: Draft, name: str, argument: ast.expr, signature: Signature, depth: int
    ) -> None:
        if isinstance(argument, ast.List | ast.Tuple | ast.Dict) and depth < _DEEPEST:
            items = elements(argument)
            values = [self.value(item, depth + 1) for _, item in items]
            for (key, item), value in zip(items, values, strict=True):
                if value is not None:
                    node.inputs.append(Input(f"{name}[{key}]", value, (item,)))
            if all(value is None for value in values):
                node.arguments.append(self.argument(name, argument, signature.default(name)))
            return
        value = self.value(argument, depth + 1)
        if value is None:
            node.arguments.append(self.argument(name, argument, signature.default(name)))
        else:
            node.inputs.append(Input(name, value, (argument,)))
