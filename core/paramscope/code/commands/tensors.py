"""Commands that change what a member tensor is: Parameter, buffer or plain tensor."""

import ast
from dataclasses import dataclass

from paramscope.code.call_text import CallText
from paramscope.code.commands.imports import spelled
from paramscope.code.commands.workspace import Workspace, refuse
from paramscope.code.members import ClassInfo, Member, MemberKind, self_attributes
from paramscope.code.text_edit import Edit
from paramscope.document.document import Command, Document

_WHOLE_NUMBER_CALLS = frozenset(
    {"arange", "randint", "randperm", "argmax", "argmin", "argsort", "bincount"}
)
_WHOLE_NUMBER_METHODS = frozenset({"long", "int", "short", "bool", "byte", "char"})
_WHOLE_NUMBER_TYPES = frozenset(
    {"long", "int", "short", "bool", "uint8", "int8", "int16", "int32", "int64"}
)


@dataclass(frozen=True, slots=True)
class Register:
    """Make a Parameter of a plain tensor or a buffer: it is trained from now on."""

    class_name: str
    attribute: str

    @property
    def label(self) -> str:
        return f"Register {self.attribute} as Parameter"

    def apply(self, document: Document) -> Document:
        """Wrap what ``__init__`` assigns in ``nn.Parameter(...)``."""
        space = Workspace(document)
        owner, member = _member(space, self.class_name, self.attribute)
        if member.kind is MemberKind.PARAMETER:
            refuse(f"`self.{self.attribute}` is a Parameter already.")
        _check_tensor(member, self.attribute)
        assert member.value is not None
        whole = whole_numbers(space, member.value)
        buffer = RegisterBuffer(self.class_name, self.attribute)
        keep: Command | None = buffer if member.kind is not MemberKind.BUFFER else None
        if whole is not None:
            refuse(
                f"`self.{self.attribute}` holds whole numbers ({whole}), which have no "
                "gradient. Give it a floating-point dtype, or register it as a buffer.",
                keep,
            )
        line = _assigned_later(owner, member)
        if line is not None:
            refuse(
                f"Line {line} assigns `self.{self.attribute}` again, which a Parameter does not "
                "allow. A value that changes by itself is a buffer.",
                keep,
            )
        spelled(space, "torch.nn.Parameter")
        _clean(space, self.class_name, self.attribute)
        parameter = spelled(space, "torch.nn.Parameter")
        _, member = _member(space, self.class_name, self.attribute)
        assert member.value is not None
        if member.kind is MemberKind.BUFFER:
            value = _argument_text(space, member)
            _replace(space, member, f"self.{self.attribute} = {parameter}({value})")
        else:
            start, end = space.text.node_range(member.value)
            value = space.text.text(member.value)
            space.edit([Edit(start, end, f"{parameter}({value})")])
        return space.document()


@dataclass(frozen=True, slots=True)
class Unregister:
    """Make a plain tensor of a Parameter or a buffer: no optimizer and no file sees it."""

    class_name: str
    attribute: str

    @property
    def label(self) -> str:
        return f"Unregister {self.attribute}"

    def apply(self, document: Document) -> Document:
        """Take the value out of ``nn.Parameter(...)`` or ``register_buffer``."""
        space = Workspace(document)
        _, member = _member(space, self.class_name, self.attribute)
        if member.kind not in (MemberKind.PARAMETER, MemberKind.BUFFER):
            refuse(f"`self.{self.attribute}` is not registered.")
        value = _bare_value(space, member)
        if _is_registering(member):
            _replace(space, member, f"self.{self.attribute} = {value}")
        else:
            assert member.value is not None
            space.edit([Edit(*space.text.node_range(member.value), value)])
        return space.document()


@dataclass(frozen=True, slots=True)
class RegisterBuffer:
    """Make a buffer of a tensor: saved and moved with the model, but not trained."""

    class_name: str
    attribute: str

    @property
    def label(self) -> str:
        return f"Register {self.attribute} as buffer"

    def apply(self, document: Document) -> Document:
        """Write ``self.register_buffer(name, value)`` in place of the assignment."""
        space = Workspace(document)
        _, member = _member(space, self.class_name, self.attribute)
        if member.kind is MemberKind.BUFFER:
            refuse(f"`self.{self.attribute}` is a buffer already.")
        _check_tensor(member, self.attribute)
        if member.kind is not MemberKind.PARAMETER:
            _clean(space, self.class_name, self.attribute)
            _, member = _member(space, self.class_name, self.attribute)
        value = _bare_value(space, member)
        _replace(space, member, f'self.register_buffer("{self.attribute}", {value})')
        return space.document()


def whole_numbers(space: Workspace, value: ast.expr) -> str | None:
    """The part of an expression that makes its tensor one of whole numbers, or None."""
    resolve = space.analysis.context.imports.resolve
    if isinstance(value, ast.Compare):
        return space.text.text(value)
    if not isinstance(value, ast.Call):
        return None
    name = value.func.attr if isinstance(value.func, ast.Attribute) else ""
    for keyword in value.keywords:
        if keyword.arg == "dtype":
            last = (resolve(keyword.value) or "").rpartition(".")[2]
            return space.text.text(keyword) if last in _WHOLE_NUMBER_TYPES else None
    dotted = resolve(value.func) or ""
    if dotted.startswith("torch."):
        last = dotted.rpartition(".")[2]
        numbers = [node for node in ast.walk(value) if isinstance(node, ast.Constant)]
        is_float = any(isinstance(node.value, float) for node in numbers)
        if last == "arange" and is_float:
            return None
        if last in _WHOLE_NUMBER_CALLS:
            return f"{space.text.text(value.func)} gives int64"
        if last == "tensor" and value.args and numbers and not is_float:
            if all(isinstance(node.value, int) for node in numbers) and _is_literal(value.args[0]):
                return f"{space.text.text(value)} gives int64"
        return None
    if isinstance(value.func, ast.Attribute):
        if name in _WHOLE_NUMBER_METHODS:
            return f".{name}()"
        if name in ("view", "reshape", "unsqueeze", "squeeze", "clone", "repeat", "expand"):
            return whole_numbers(space, value.func.value)
    return None


def _is_literal(value: ast.expr) -> bool:
    plain = (ast.Constant, ast.List, ast.Tuple, ast.UnaryOp, ast.USub, ast.Load)
    return all(isinstance(node, plain) for node in ast.walk(value))


def _member(space: Workspace, class_name: str, attribute: str) -> tuple[ClassInfo, Member]:
    """The class of the file that makes an attribute, and the member."""
    classes = space.analysis.context.classes
    info = classes.get(class_name)
    if info is None:
        refuse(f"There is no Module class `{class_name}` in this document.")
    queue = [info]
    while queue:
        found = queue.pop(0)
        if attribute in found.own_members:
            return found, found.own_members[attribute]
        queue += [classes[base] for base in found.bases if base in classes]
    refuse(f"`__init__` of `{class_name}` makes no `{attribute}`; change it in the code.")


def _check_tensor(member: Member, attribute: str) -> None:
    if member.kind is MemberKind.MODULE:
        refuse(f"`self.{attribute}` is a Module; its Parameters are registered already.")
    if member.value is None or member.kind in (MemberKind.VALUE, MemberKind.FUNCTION):
        refuse(f"`self.{attribute}` is no tensor; only tensors can be registered.")
    if isinstance(member.value, ast.List | ast.Tuple | ast.Dict | ast.ListComp | ast.DictComp):
        refuse(
            f"`self.{attribute}` is a container; use nn.ParameterList or nn.ParameterDict for it."
        )


def _assigned_later(owner: ClassInfo, member: Member) -> int | None:
    """The line outside of ``__init__`` that assigns the attribute, or None."""
    lines = {
        node.lineno
        for name, method in owner.methods.items()
        for node in (self_attributes(method) if name != "__init__" else ())
        if node.attr == member.name and isinstance(node.ctx, ast.Store)
    }
    return min(lines - {member.statement.lineno}, default=None)


def _clean(space: Workspace, class_name: str, attribute: str) -> None:
    """Drop ``requires_grad`` and inner Parameters from a value that is to be wrapped anew."""
    for _ in range(20):
        _, member = _member(space, class_name, attribute)
        edits = _cleaning(space, member.value) if member.value is not None else []
        if not edits:
            return
        space.edit(edits)


def _cleaning(space: Workspace, value: ast.expr) -> list[Edit]:
    resolve = space.analysis.context.imports.resolve
    for node in ast.walk(value):
        if not isinstance(node, ast.Call):
            continue
        for keyword in node.keywords:
            if keyword.arg == "requires_grad":
                return CallText(space.text, node).without(keyword)
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr == "requires_grad_":
            _, start = space.text.node_range(function.value)
            _, end = space.text.node_range(node)
            return [Edit(_behind_parentheses(space, start, function), end, "")]
        dotted = resolve(function) or ""
        if dotted.rpartition(".")[2] == "Parameter" and node.args:
            inner = space.text.text(node.args[0])
            if not isinstance(node.args[0], ast.Call | ast.Name | ast.Attribute):
                inner = f"({inner})"
            return [Edit(*space.text.node_range(node), inner)]
    return []


def _behind_parentheses(space: Workspace, place: int, function: ast.Attribute) -> int:
    """The place behind the receiver of a method, its closing parentheses included."""
    _, end = space.text.node_range(function)
    source = space.source
    dot = source.rfind(".", place, end)
    while dot > place and source[dot - 1] in " \t\r\n\\":
        dot -= 1
    return max(place, dot)


def _is_registering(member: Member) -> bool:
    return isinstance(member.statement, ast.Expr)


def _argument_text(space: Workspace, member: Member) -> str:
    assert member.value is not None
    return space.text.text(member.value)


def _bare_value(space: Workspace, member: Member) -> str:
    """The tensor expression of a member without ``nn.Parameter`` around it."""
    value = member.value
    if value is None:
        refuse(f"`self.{member.name}` is None; there is nothing to unregister.")
    resolve = space.analysis.context.imports.resolve
    if isinstance(value, ast.Call):
        if (resolve(value.func) or "").rpartition(".")[2] in ("Parameter", "Buffer"):
            data = [item.value for item in value.keywords if item.arg == "data"]
            given = [*value.args[:1], *data]
            if not given:
                refuse(f"`self.{member.name}` has no value yet; give nn.Parameter a tensor.")
            slots = CallText(space.text, value)
            slot = slots.slot_of(given[0])
            first, last = slots.slots[slot] if value.args else space.text.node_range(given[0])
            return space.source[first:last]
    return space.text.text(value)


def _replace(space: Workspace, member: Member, line: str) -> None:
    """Write another statement in place of the one that makes a member."""
    statement = member.statement
    if isinstance(statement, ast.Assign):
        target = statement.targets[0]
        if len(statement.targets) > 1 or not isinstance(target, ast.Attribute):
            refuse(f"Line {statement.lineno} makes several members at once; edit it in the code.")
    me = "self"
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            me = node.value.id
            break
    written = f"{me}.{line.removeprefix('self.')}"
    space.edit([Edit(*space.text.node_range(statement), written)])
