"""The Module classes of a file and the members that their ``__init__`` makes, from the syntax.

Called by the parser for drawing and by the commands for editing; nothing is executed.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from paramscope.code.names import Imports, is_module_base, statements_of
from paramscope.code.syntax import FunctionNode, walk

# Functions of the torch namespace that return no tensor.
_NO_TENSOR = frozenset(
    {
        "device",
        "dtype",
        "Size",
        "Generator",
        "is_tensor",
        "manual_seed",
        "get_default_dtype",
        "iinfo",
        "finfo",
        "compile",
        "no_grad",
        "enable_grad",
        "inference_mode",
        "is_grad_enabled",
        "numel",
    }
)
# Methods that take a tensor to something that is none.
_NO_TENSOR_METHODS = frozenset(
    {
        "size",
        "dim",
        "numel",
        "item",
        "tolist",
        "numpy",
        "nelement",
        "stride",
        "data_ptr",
        "ndimension",
        "type",
        "get_device",
        "is_floating_point",
        "is_contiguous",
        "backward",
    }
)
_TENSOR_ATTRIBUTES = frozenset({"T", "mT", "H", "mH", "data", "real", "imag", "grad"})
_CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})


class MemberKind(StrEnum):
    """What an attribute made in ``__init__`` is, as far as the syntax tells."""

    MODULE = "module"
    PARAMETER = "parameter"
    BUFFER = "buffer"
    TENSOR = "tensor"
    FUNCTION = "function"  # a function of torch kept as an attribute
    VALUE = "value"  # a constant, a number, a string
    UNKNOWN = "unknown"  # a Module if forward calls it


@dataclass(slots=True)
class Member:
    """One attribute of a class: how it is made, where, and what it contains by index or key."""

    name: str
    kind: MemberKind
    value: ast.expr | None
    statement: ast.stmt
    dotted: str | None = None
    children: dict[str, "Member"] = field(default_factory=dict)

    @property
    def call(self) -> ast.Call | None:
        """The call that makes the member, if a call makes it."""
        return self.value if isinstance(self.value, ast.Call) else None


@dataclass(slots=True)
class ClassInfo:
    """A Module class of the file: its syntax, its own members and those of its bases here."""

    name: str
    node: ast.ClassDef
    bases: tuple[str, ...] = ()
    own_members: dict[str, Member] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    own_methods: dict[str, FunctionNode] = field(default_factory=dict)
    methods: dict[str, FunctionNode] = field(default_factory=dict)

    @property
    def forward(self) -> FunctionNode | None:
        """The class's own forward; a base's is drawn on the base's canvas."""
        return self.own_methods.get("forward")


def module_classes(tree: ast.Module, imports: Imports) -> dict[str, ClassInfo]:
    """Find the classes that derive from Module, with their members, bases first resolved."""
    nodes = {node.name: node for node in statements_of(tree) if isinstance(node, ast.ClassDef)}
    found: dict[str, bool] = {}
    for name in nodes:
        _is_module(name, nodes, imports, found, frozenset())
    classes: dict[str, ClassInfo] = {}
    for name, node in nodes.items():
        if found[name]:
            bases = tuple(base.id for base in node.bases if isinstance(base, ast.Name))
            classes[name] = ClassInfo(name, node, tuple(b for b in bases if found.get(b)))
    for info in classes.values():
        info.own_methods = {
            item.name: item
            for item in info.node.body
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        }
    for info in classes.values():
        info.own_members = _members_of(info, imports, classes)
    for info in classes.values():
        for base in reversed(list(_lineage(info, classes))):
            info.members |= base.own_members
            info.methods |= base.own_methods
    return classes


def self_name(function: FunctionNode) -> str | None:
    """What a method calls its instance, usually ``self``; None for a static method."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Name) and decorator.id in ("staticmethod", "classmethod"):
            return None
    return arguments[0].arg if arguments else None


def self_attributes(method: FunctionNode) -> Iterator[ast.Attribute]:
    """Every ``self.<attribute>`` in a method, whatever it calls its instance."""
    me = self_name(method)
    for node in walk(method):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == me:
                yield node


def is_sequence(member: Member) -> bool:
    """Whether a member is a Sequential that is written out element by element."""
    if member.call is None or member.dotted is None or not member.children:
        return False
    is_sequential = member.dotted.rpartition(".")[2] == "Sequential"
    return is_sequential and len(member.children) == len(member.call.args)


def _is_module(
    name: str,
    nodes: dict[str, ast.ClassDef],
    imports: Imports,
    found: dict[str, bool],
    pending: frozenset[str],
) -> bool:
    if name in found:
        return found[name]
    result = False
    for base in nodes[name].bases:
        if isinstance(base, ast.Subscript):  # Base[int]
            base = base.value
        if isinstance(base, ast.Name) and base.id in nodes and base.id != name:
            if base.id not in pending and len(pending) < 100:
                result |= _is_module(base.id, nodes, imports, found, pending | {name})
        else:
            dotted = imports.resolve(base)
            result |= dotted is not None and _is_module_name(dotted, nodes[name], imports)
    found[name] = result
    return result


def _is_module_name(dotted: str, node: ast.ClassDef, imports: Imports) -> bool:
    if is_module_base(dotted):
        return True
    head, _, last = dotted.rpartition(".")
    if not head and "torch.nn" in imports.stars and last[:1].isupper():
        return last not in ("Exception", "ValueError", "RuntimeError", "Enum", "Dataset")
    # A base from another file: with a forward of its own it can only be a Module.
    if not head or last in ("Function", "FunctionCtx"):
        return False
    return any(
        isinstance(item, ast.FunctionDef) and item.name == "forward" and self_name(item)
        for item in node.body
    )


def _lineage(info: ClassInfo, classes: dict[str, ClassInfo]) -> Iterator[ClassInfo]:
    """The class, then its bases of this file, nearest first."""
    seen: set[str] = set()
    queue = [info.name]
    while queue:
        name = queue.pop(0)
        if name not in seen and name in classes:
            seen.add(name)
            yield classes[name]
            queue.extend(classes[name].bases)


def _members_of(
    info: ClassInfo, imports: Imports, classes: dict[str, ClassInfo]
) -> dict[str, Member]:
    init = info.own_methods.get("__init__")
    if init is None or (me := self_name(init)) is None:
        return {}
    finder = _MemberFinder(me, imports, classes)
    for method in _called_from(init, info):
        finder.me = self_name(method) or me
        for statement in statements_of(method):
            finder.read(statement)
    return finder.members


def made_member(
    name: str, value: ast.expr, statement: ast.stmt, imports: Imports, classes: dict[str, ClassInfo]
) -> Member:
    """What an expression would be as a member of this name."""
    return _MemberFinder("", imports, classes).member(name, value, statement)


def _called_from(init: FunctionNode, info: ClassInfo) -> list[FunctionNode]:
    """``__init__`` and the methods of the class that it calls, in order."""
    found = [init]
    for method in found:
        me = self_name(method)
        for node in walk(method):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                holder, called = node.func.value, info.own_methods.get(node.func.attr)
                if isinstance(holder, ast.Name) and holder.id == me and called is not None:
                    if called.name != "forward" and called not in found:
                        found.append(called)
    return found


class _MemberFinder:
    """Reads the statements of one ``__init__`` and notes what they assign to ``self``."""

    def __init__(self, me: str, imports: Imports, classes: dict[str, ClassInfo]) -> None:
        self.me = me
        self.imports = imports
        self.classes = classes
        self.members: dict[str, Member] = {}
        self.tensors: set[str] = set()  # local variables that hold tensors

    def read(self, statement: ast.stmt) -> None:
        """Note what one statement assigns or registers."""
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                self._assign(target, statement.value, statement)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._assign(statement.target, statement.value, statement)
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            self._register(statement.value, statement)

    def _assign(self, target: ast.expr, value: ast.expr, statement: ast.stmt) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            items = value.elts if isinstance(value, ast.Tuple | ast.List) else []
            if len(items) == len(target.elts):
                for one, item in zip(target.elts, items, strict=True):
                    self._assign(one, item, statement)
        elif isinstance(target, ast.Name):
            if self._is_tensor(value):
                self.tensors.add(target.id)
            else:
                self.tensors.discard(target.id)
        elif self._is_self(target):
            assert isinstance(target, ast.Attribute)
            self._add(self.member(target.attr, value, statement))

    def _register(self, call: ast.Call, statement: ast.stmt) -> None:
        function = call.func
        if not self._is_self(function) or not isinstance(function, ast.Attribute):
            return
        values = dict(zip(("name", "value"), call.args, strict=False))
        for keyword in call.keywords:
            if keyword.arg == "name":
                values["name"] = keyword.value
            elif keyword.arg in ("tensor", "param", "module"):
                values["value"] = keyword.value
        name = values.get("name")
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            return
        value = values.get("value")
        if function.attr == "register_buffer":
            self._add(Member(name.value, MemberKind.BUFFER, value, statement))
        elif function.attr == "register_parameter":
            self._add(Member(name.value, MemberKind.PARAMETER, value, statement))
        elif function.attr in ("add_module", "register_module") and value is not None:
            member = self.member(name.value, value, statement)
            if member.kind is MemberKind.UNKNOWN:
                member.kind = MemberKind.MODULE
            self._add(member)

    def _add(self, member: Member) -> None:
        known = self.members.get(member.name)
        weak = (MemberKind.VALUE, MemberKind.UNKNOWN)
        # `self.bias = None` in one branch does not hide the Parameter of the other.
        if known is None or known.kind in weak or member.kind not in weak:
            if known is not None and known.kind is MemberKind.PARAMETER and member.value is None:
                return
            self.members[member.name] = member

    def member(self, name: str, value: ast.expr, statement: ast.stmt, depth: int = 0) -> Member:
        """What ``self.name = value`` makes."""
        member = Member(name, self._kind(value), value, statement)
        if isinstance(value, ast.Call):
            member.dotted = self.imports.resolve(value.func)
        if depth < 20:
            for key, item in self._items(value, member.dotted):
                member.children[key] = self.member(key, item, statement, depth + 1)
        return member

    def _items(self, value: ast.expr, dotted: str | None) -> list[tuple[str, ast.expr]]:
        """The elements of a container that is written out, by index or key."""
        if isinstance(value, ast.Call):
            if (dotted or "").rpartition(".")[2] not in _CONTAINERS:
                return []
            if len(value.args) != 1 or not isinstance(value.args[0], ast.List | ast.Dict):
                items = enumerate(value.args)
                if any(isinstance(item, ast.Starred) for item in value.args):
                    return []
                return [(str(index), item) for index, item in items if self._is_call(item)]
            value = value.args[0]
        if isinstance(value, ast.List | ast.Tuple):
            if any(isinstance(item, ast.Starred) for item in value.elts):
                return []
            return [(str(i), item) for i, item in enumerate(value.elts) if self._is_call(item)]
        if isinstance(value, ast.Dict):
            return [
                (str(key.value), item)
                for key, item in zip(value.keys, value.values, strict=True)
                if isinstance(key, ast.Constant) and self._is_call(item)
            ]
        return []

    @staticmethod
    def _is_call(expression: ast.expr) -> bool:
        return isinstance(expression, ast.Call)

    def _kind(self, value: ast.expr) -> MemberKind:
        if isinstance(value, ast.Call):
            dotted = self.imports.resolve(value.func) or ""
            head, _, last = dotted.rpartition(".")
            if dotted in self.classes:
                return MemberKind.MODULE
            if last == "Parameter" and (not head or head.startswith(("torch.nn", "."))):
                return MemberKind.PARAMETER
            if last == "Buffer" and head.startswith("torch.nn"):
                return MemberKind.BUFFER
            if is_module_base(dotted) and not head.startswith("torch.nn.init"):
                return MemberKind.MODULE
            if not head and last[:1].isupper() and "torch.nn" in self.imports.stars:
                return MemberKind.MODULE
        if self._is_tensor(value):
            return MemberKind.TENSOR
        if isinstance(value, ast.Attribute):
            dotted = self.imports.resolve(value) or ""
            if dotted.startswith("torch.") and dotted.rpartition(".")[2].islower():
                return MemberKind.FUNCTION
        if isinstance(value, ast.Constant | ast.JoinedStr | ast.Compare | ast.UnaryOp):
            return MemberKind.VALUE
        return MemberKind.UNKNOWN

    def _is_self(self, expression: ast.expr) -> bool:
        return (
            isinstance(expression, ast.Attribute)
            and isinstance(expression.value, ast.Name)
            and expression.value.id == self.me
        )

    def _is_tensor(self, value: ast.expr, depth: int = 0) -> bool:
        """Whether an expression surely makes a tensor: factories and what is done to them."""
        if depth > 50:
            return False
        if isinstance(value, ast.Name):
            return value.id in self.tensors
        if isinstance(value, ast.BinOp):
            return self._is_tensor(value.left, depth + 1) or self._is_tensor(value.right, depth + 1)
        if isinstance(value, ast.UnaryOp):
            return self._is_tensor(value.operand, depth + 1)
        if isinstance(value, ast.Subscript):
            return self._is_tensor(value.value, depth + 1)
        if isinstance(value, ast.Attribute):
            if self._is_self(value):
                known = self.members.get(value.attr)
                kinds = (MemberKind.TENSOR, MemberKind.PARAMETER, MemberKind.BUFFER)
                return known is not None and known.kind in kinds
            return value.attr in _TENSOR_ATTRIBUTES and self._is_tensor(value.value, depth + 1)
        return isinstance(value, ast.Call) and self._makes_tensor(value, depth)

    def _makes_tensor(self, call: ast.Call, depth: int) -> bool:
        dotted = self.imports.resolve(call.func) or ""
        head, _, last = dotted.rpartition(".")
        if dotted in self.classes:
            return False
        if last == "Parameter" and head.startswith("torch"):
            return True
        if head in ("torch", "torch.linalg", "torch.special", "torch.nn.init"):
            return last not in _NO_TENSOR and (last[:1].islower() or last.endswith("Tensor"))
        if head == "torch.nn.functional":
            return True
        if isinstance(call.func, ast.Attribute):
            if call.func.attr in _NO_TENSOR_METHODS:
                return False
            return self._is_tensor(call.func.value, depth + 1)
        return False
