"""Commands that freeze what a class holds, and let it train again."""

import ast
from dataclasses import dataclass

from paramscope.code.call_text import CallText
from paramscope.code.commands.calls import owner_of
from paramscope.code.commands.statements import block_of, inserted_after, removed
from paramscope.code.commands.workspace import Workspace, refuse
from paramscope.code.members import ClassInfo, Member, MemberKind, self_name
from paramscope.code.parse import SourceError, analyze
from paramscope.code.text_edit import Edit
from paramscope.document.document import Document


@dataclass(frozen=True, slots=True)
class Freeze:
    """Keep the values of a Module or a Parameter as they are: no gradient, no step."""

    graph: str
    attribute: str  # dotted: ``encoder.0`` is the first element of ``self.encoder``

    @property
    def label(self) -> str:
        return f"Freeze {self.attribute}"

    def apply(self, document: Document) -> Document:
        """Write ``self.name.requires_grad_(False)`` behind the line that makes it."""
        space = Workspace(document)
        owner = owner_of(space, self.graph)
        member = _member(owner, self.attribute)
        if _freezing(owner, self.attribute) is not None:
            refuse(f"`self.{self.attribute}` is frozen already.")
        if member.kind in (MemberKind.BUFFER, MemberKind.TENSOR):
            refuse(f"`self.{self.attribute}` is no Parameter: no optimizer would move it anyway.")
        if member.kind in (MemberKind.VALUE, MemberKind.FUNCTION):
            refuse(f"`self.{self.attribute}` holds no tensors, so there is nothing to freeze.")
        line = f"{_place(owner, self.attribute)}.requires_grad_(False)"
        space.edit([inserted_after(space.text, member.statement, [line])])
        return space.document()


@dataclass(frozen=True, slots=True)
class Unfreeze:
    """Let a frozen Module or Parameter train again."""

    graph: str
    attribute: str

    @property
    def label(self) -> str:
        return f"Unfreeze {self.attribute}"

    def apply(self, document: Document) -> Document:
        """Take away what `Freeze` writes, or ``requires_grad=False`` of a Parameter."""
        space = Workspace(document)
        owner = owner_of(space, self.graph)
        freezing = _freezing(owner, self.attribute)
        if freezing is None:
            refuse(
                f"No line of `__init__` freezes `self.{self.attribute}` by itself. Look for"
                " `requires_grad` in the code."
            )
        if isinstance(freezing, ast.keyword):
            call = _member(owner, self.attribute).call
            assert call is not None
            space.edit(CallText(space.text, call).without(freezing))
        else:
            edit = removed(space.text, freezing, block_of(owner.node, freezing))
            space.edit([Edit(*edit)])
        return space.document()


def is_frozen(source: str, graph: str, attribute: str) -> bool:
    """Whether a line of ``__init__`` freezes this one member."""
    try:
        owner = analyze(source).context.classes.get(graph.partition(".")[0])
    except SourceError:
        return False
    return owner is not None and _freezing(owner, attribute) is not None


def _member(owner: ClassInfo, attribute: str) -> Member:
    head = attribute.partition(".")[0]
    member = owner.own_members.get(head)
    if member is None:
        refuse(f"`{owner.name}` does not make `{head}` in its own `__init__`; edit the code.")
    for key in attribute.split(".")[1:]:
        if key not in member.children:
            if member.kind is MemberKind.MODULE and not member.children:
                return member  # a tensor of a layer: ``embed.weight``
            refuse(f"`{attribute}` is not written out in `{owner.name}`; edit the code.")
        member = member.children[key]
    return member


def _place(owner: ClassInfo, attribute: str) -> str:
    """How a member is reached: ``self.encoder[0].norm``."""
    init = owner.own_methods.get("__init__")
    me = (self_name(init) if init is not None else None) or "self"
    head, *rest = attribute.split(".")
    steps = (f"[{key}]" if key.isdigit() else f".{key}" for key in rest)
    return f"{me}.{head}{''.join(steps)}"


def _freezing(owner: ClassInfo, attribute: str) -> ast.stmt | ast.keyword | None:
    """The statement or the keyword that freezes a member and nothing else."""
    init = owner.own_methods.get("__init__")
    if init is None:
        return None
    wanted = ast.unparse(ast.parse(f"{_place(owner, attribute)}.requires_grad_(False)"))
    for statement in init.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            function = statement.value.func
            if isinstance(function, ast.Attribute) and function.attr == "requires_grad_":
                if ast.unparse(statement) == wanted:
                    return statement
    member = owner.own_members.get(attribute)
    if member is not None and member.kind is MemberKind.PARAMETER and member.call is not None:
        for keyword in member.call.keywords:
            value = keyword.value
            if keyword.arg == "requires_grad" and isinstance(value, ast.Constant):
                return None if value.value else keyword
    return None
