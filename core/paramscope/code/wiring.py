"""From the statements of a function to nodes and wires: who computes what from what.

`Wiring` walks a body once, keeping for each variable the output that it holds. What cannot
be drawn (loops, branches, comprehensions) becomes a code node with the names it reads and
writes, so that every statement is covered. Values that are plain constants make no node.
"""

import ast
from collections.abc import Sequence

from paramscope.code.binding import Context
from paramscope.code.draft import HOLE, Draft, Hole, Input, Source
from paramscope.code.expressions import Expressions
from paramscope.code.graph import NodeKind
from paramscope.code.members import ClassInfo
from paramscope.code.operations import OPERATORS
from paramscope.code.syntax import (
    changed_name,
    is_plain_target,
    loaded_names,
    stored_names,
    target_names,
)

# Nodes that stand for all reads of a member, whatever variable a read is assigned to.
_SHARED = (NodeKind.PARAMETER, NodeKind.BUFFER, NodeKind.TENSOR)


class Wiring(Expressions):
    """The drawing of one body of statements; ``owner`` is the class of a method."""

    def __init__(self, context: Context, owner: ClassInfo | None, me: str | None) -> None:
        super().__init__(context, owner, me)
        self._body: Sequence[ast.stmt] = ()
        self._outside: Sequence[ast.stmt] = ()
        self._place = 0
        self._after: list[frozenset[str]] = []

    def read(self, body: Sequence[ast.stmt], outside: Sequence[ast.stmt] = ()) -> None:
        """Draw a body; ``outside`` is code that may read its names. May be called once."""
        self._body, self._outside = body, outside
        for index, statement in enumerate(body):
            self.statement = statement
            self.before[statement] = dict(self.environment)
            self._place = index
            self._read_statement(statement, index == 0)

    def _used_later(self) -> frozenset[str]:
        """The names that are read behind the present statement; few bodies ever ask."""
        if not self._after:
            later = frozenset[str]().union(*map(loaded_names, self._outside))
            for statement in reversed(self._body):
                self._after.append(later)
                later |= loaded_names(statement)
            self._after.reverse()
        return self._after[self._place]

    def _read_statement(self, statement: ast.stmt, is_first: bool) -> None:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            self._assign(statement.targets[0], statement.value, statement)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._assign(statement.target, statement.value, statement)
        elif isinstance(statement, ast.AugAssign):
            self._augmented(statement)
        elif isinstance(statement, ast.Return):
            self._return(statement)
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            result = self.value(statement.value)
            changed = changed_name(statement)
            if result is None:
                self.code(statement)
            elif changed in self.environment:
                self.environment[changed] = result
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            if not is_first and statement.value.value is not ...:
                self.code(statement)
        elif not isinstance(statement, ast.Pass):
            self.code(statement)

    def _assign(self, target: ast.expr, value: ast.expr, statement: ast.stmt) -> None:
        if isinstance(target, ast.Name):
            self._assign_name(target, value, statement)
        elif isinstance(target, ast.Tuple | ast.List) and is_plain_target(target):
            self._assign_tuple(target, value, statement)
        else:
            self._assign_place(target, value, statement)

    def _assign_name(self, target: ast.Name, value: ast.expr, statement: ast.stmt) -> None:
        count = len(self.nodes)
        result = self.value(value)
        if result is None:
            self.code(statement)
            return
        if isinstance(result, Source) and len(self.nodes) > count:
            node = result.node
            if node.kind not in _SHARED and node.syntax is value and not node.targets:
                node.outputs = [target.id]
                node.targets = [target]
                node.name = node.name or target.id
        self.environment[target.id] = result

    def _assign_tuple(
        self, target: ast.Tuple | ast.List, value: ast.expr, statement: ast.stmt
    ) -> None:
        names = target_names(target)
        if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
            if all(isinstance(item, ast.Name) for item in target.elts):
                results = [self.value(item) for item in value.elts]
                if all(result is not None for result in results):
                    for item, result in zip(target.elts, results, strict=True):
                        assert isinstance(item, ast.Name)
                        self.environment[item.id] = result
                    return
            self.code(statement)
            return
        result = self.value(value)
        if result is None:
            self.code(statement)
            return
        if isinstance(result, Hole):
            for item in names:
                self.environment[item.id] = HOLE
            return
        node = result.node
        if node.syntax is not value or node.targets or node.kind in _SHARED:
            node = self.add(Draft(NodeKind.OPERATION, "unpack", "unpack", syntax=value))
            node.inputs.append(Input("input", result, (value,)))
        node.outputs = [item.id for item in names]
        node.targets = list(names)
        for port, item in enumerate(names):
            self.environment[item.id] = Source(node, port)

    def _assign_place(self, target: ast.expr, value: ast.expr, statement: ast.stmt) -> None:
        """Draw ``self.state = value`` and ``x[...] = value``: the value, then the write."""
        result = self.value(value)
        node = self.code(statement, skip=value if result is not None else None)
        if isinstance(result, Source | Hole):
            node.inputs.append(Input("value", result, (value,)))
        if isinstance(target, ast.Attribute) and self.is_me(target.value):
            node.outputs = [f"{self.me}.{target.attr}"]
            self.member_values[target.attr] = Source(node)

    def _augmented(self, statement: ast.AugAssign) -> None:
        target = statement.target
        if not isinstance(target, ast.Name) or target.id not in self.environment:
            self.code(statement)
            return
        symbol, name = OPERATORS[type(statement.op)]
        current = self.environment[target.id]
        other = self.value(statement.value)
        node = Draft(NodeKind.OPERATION, f"{symbol}=", name, target.id, syntax=statement)
        self.add(node)
        node.inputs.append(Input("input", current, (target,)))
        if other is None:
            node.arguments.append(self.argument("other", statement.value))
        else:
            node.inputs.append(Input("other", other, (statement.value,)))
        node.outputs = [target.id]
        node.targets = [target]
        self.environment[target.id] = Source(node)

    def _return(self, statement: ast.Return) -> None:
        node = Draft(NodeKind.OUTPUT, "output", "output", syntax=statement, outputs=[])
        value = statement.value
        if value is None:
            items: list[tuple[str, ast.expr]] = []
        elif isinstance(value, ast.Tuple) and value.elts:
            items = [(f"output{i + 1}", item) for i, item in enumerate(value.elts)]
        elif isinstance(value, ast.Dict) and value.keys:
            items = [
                (str(key.value) if isinstance(key, ast.Constant) else "output", item)
                for key, item in zip(value.keys, value.values, strict=True)
            ]
        else:
            items = [("output", value)]
        for name, item in items:
            result = self.value(item)
            if result is None:
                node.arguments.append(self.argument(name, item))
            else:
                node.inputs.append(Input(name, result, (item,)))
        self.add(node)

    def code(self, statement: ast.stmt, skip: ast.expr | None = None) -> Draft:
        """Add the code node of a statement that is not drawn."""
        written = stored_names(statement)
        # What is read later or was there before; not the counters of loops.
        outputs = [
            name for name in written if name in self.environment or name in self._used_later()
        ]
        node = Draft(NodeKind.CODE, self._code_title(statement), "code", syntax=statement)
        node.text = self.context.text.text(statement)
        node.base = (outputs or written or ["code"])[0]
        node.outputs = outputs
        self.read_names(node, [statement], skip)
        flows = isinstance(statement, ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try)
        for name in outputs if flows else ():
            known = self.environment.get(name)
            if known is not None and not any(item.name == name for item in node.inputs):
                node.inputs.append(Input(name, known, required=False))
        if isinstance(statement, ast.For):
            node.path = self.member_path(statement.iter)
        self.add(node)
        for name in written:
            self.environment.pop(name, None)
        for port, name in enumerate(outputs):
            self.environment[name] = Source(node, port)
        return node

    def _code_title(self, statement: ast.stmt) -> str:
        text = self.context.text
        if isinstance(statement, ast.For):
            return f"for {text.text(statement.target)} in {text.text(statement.iter)}"
        if isinstance(statement, ast.If | ast.While):
            word = "if" if isinstance(statement, ast.If) else "while"
            return f"{word} {text.text(statement.test)}"
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return statement.name + ("" if isinstance(statement, ast.ClassDef) else "()")
        return text.text(statement).splitlines()[0] if text.text(statement) else "code"
