"""What a drawing in progress knows: its nodes, its variables, and the members it may read.

Base of the drawing of expressions and statements.
"""

import ast
from collections.abc import Iterable

from paramscope.code.binding import Context
from paramscope.code.draft import Draft, Input, Source, Value
from paramscope.code.graph import Argument, NodeKind
from paramscope.code.members import ClassInfo, Member, MemberKind, is_sequence
from paramscope.code.text_edit import span_of

MEMBER_NODES = {
    MemberKind.PARAMETER: NodeKind.PARAMETER,
    MemberKind.BUFFER: NodeKind.BUFFER,
    MemberKind.TENSOR: NodeKind.TENSOR,
}
_MODULE_TENSORS = ("weight", "bias", "running_mean", "running_var")


class DrawingState:
    """Nodes, variables and members of the function being drawn."""

    def __init__(self, context: Context, owner: ClassInfo | None, me: str | None) -> None:
        self.context = context
        self.owner = owner
        self.me = me
        self.nodes: list[Draft] = []
        self.environment: dict[str, Value] = {}
        self.before: dict[ast.stmt, dict[str, Value]] = {}  # variables before each statement
        self.methods: list[str] = []  # methods of the class that are called, in order
        self.member_values: dict[str, Source] = {}
        self.statement: ast.stmt | None = None

    def add(self, node: Draft) -> Draft:
        """Append a node that stands in the present statement."""
        if node.statement is None:
            node.statement = self.statement
        self.nodes.append(node)
        return node

    def argument(self, name: str, value: ast.expr, default: str | None = None) -> Argument:
        """An argument with its text and place."""
        return Argument(name, self.context.text.text(value), span_of(value), default)

    def read_names(
        self, node: Draft, parts: Iterable[ast.AST], skip: ast.expr | None = None
    ) -> None:
        """Give a code node a port for each value and member tensor that its text reads."""
        reads: dict[str, list[ast.expr]] = {}
        values: dict[str, Value] = {}
        stack: list[ast.AST] = list(parts)
        while stack:
            part = stack.pop()
            if part is skip:
                continue
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                if self.environment.get(part.id) is not None:
                    reads.setdefault(part.id, []).append(part)
                    values[part.id] = self.environment[part.id]
            elif isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Load):
                source = self.member_tensor(part)
                if source is not None:
                    name = f"{self.me}.{part.attr}"
                    reads.setdefault(name, []).append(part)
                    values[name] = source
                    continue
            if isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
                stack.append(ast.copy_location(ast.Name(part.target.id, ast.Load()), part.target))
            stack.extend(reversed(list(ast.iter_child_nodes(part))))
        node.inputs += [Input(name, values[name], tuple(reads[name])) for name in reads]

    # Members

    def member(self, path: str) -> Member | None:
        """The member at a dotted path, as far as the class writes it out."""
        if self.owner is None:
            return None
        head, *rest = path.split(".")
        member = self.owner.members.get(head)
        for key in rest:
            if member is None:
                return None
            member = member.children.get(key)
        return member

    def scope_of(self, member: Member, path: str) -> str | None:
        """The graph behind a member Module: its class here, or a Sequential written out."""
        if member.dotted in self.context.classes:
            return member.dotted
        owned = self.owner.members.get(path.partition(".")[0]) if self.owner is not None else None
        if owned is not None and is_sequence(member):
            for info in self.context.classes.values():
                if any(known is owned for known in info.own_members.values()):
                    return f"{info.name}.{path}"
        return None

    def member_title(self, member: Member | None, path: str) -> str:
        """The class of a member, or the name it goes by where the class is not known."""
        if member is not None and member.call is not None:
            return self.call_name(member.call)
        return path.rpartition(".")[2] if not path.rpartition(".")[2].isdigit() else path

    def call_name(self, call: ast.Call) -> str:
        """The last name of what is called."""
        function = call.func
        if isinstance(function, ast.Attribute):
            return function.attr
        if isinstance(function, ast.Name):
            return function.id
        if isinstance(function, ast.Call):
            return self.call_name(function)
        return "call"

    def is_me(self, expression: ast.expr) -> bool:
        """Whether an expression is the instance itself (``self``)."""
        return isinstance(expression, ast.Name) and self.me is not None and expression.id == self.me

    def member_path(self, expression: ast.expr) -> str | None:
        """``self.layers[0].norm`` as ``layers.0.norm`` if ``layers`` is a member, else None."""
        parts: list[str] = []
        while not self.is_me(expression):
            if isinstance(expression, ast.Attribute):
                parts.append(expression.attr)
                expression = expression.value
            elif isinstance(expression, ast.Subscript):
                key = expression.slice
                if not isinstance(key, ast.Constant) or not isinstance(key.value, int | str):
                    return None
                parts.append(str(key.value))
                expression = expression.value
            else:
                return None
        if self.owner is None or not parts or len(parts) > 20:
            return None
        member = self.owner.members.get(parts[-1])
        if member is None or member.kind in MEMBER_NODES:
            return None
        return ".".join(reversed(parts))

    def member_tensor(self, expression: ast.Attribute) -> Source | None:
        """The node of a tensor member, also of ``self.embed.weight``; one for all its reads."""
        key = expression.attr
        if self.is_me(expression.value):
            if key in self.member_values:
                return self.member_values[key]
            member = self.owner.members.get(key) if self.owner is not None else None
            if member is None or member.kind not in MEMBER_NODES:
                return None
            kind = MEMBER_NODES[member.kind]
        else:
            holder = self.member_path(expression.value)
            if holder is None or not key.endswith(_MODULE_TENSORS):
                return None
            member, key = self.member(holder), f"{holder}.{key}"
            if member is None or member.kind not in (MemberKind.MODULE, MemberKind.UNKNOWN):
                return None
            kind = NodeKind.BUFFER if "running_" in key else NodeKind.PARAMETER
            if key in self.member_values:
                return self.member_values[key]
        return self.add_tensor(key, kind, member, expression)

    def add_tensor(
        self, path: str, kind: NodeKind, member: Member | None, read: ast.expr | None
    ) -> Source:
        """Add the one node of a member tensor; ``read`` is its first read, if there is any."""
        node = Draft(kind, path, path, path, path, syntax=read, outputs=[path])
        node.member = member
        if member is not None and member.value is not None and "." not in path:
            node.text = self.context.text.text(member.value)
        self.member_values[path] = Source(self.add(node))
        return self.member_values[path]
