"""Which argument of a call is which: names of ports and fields from signatures.

A signature comes from gradcore's catalogue, from a function or class of the same file, or from
the table of operations; where none knows the call, places are named by their number.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from paramscope.code.catalog import module_entry
from paramscope.code.graph import Argument
from paramscope.code.members import ClassInfo, Member, is_sequence
from paramscope.code.names import Imports
from paramscope.code.operations import method_parameters, operation_of
from paramscope.code.syntax import FunctionNode
from paramscope.code.text_edit import SourceText, span_of


@dataclass(frozen=True, slots=True)
class Context:
    """What the whole file says, for all its functions."""

    text: SourceText
    imports: Imports
    classes: dict[str, ClassInfo]
    functions: dict[str, FunctionNode]
    globals: frozenset[str]  # names that the file binds at its top level


@dataclass(frozen=True, slots=True)
class Signature:
    """Names in order of place; ``ports`` are drawn also where the call leaves them out."""

    names: tuple[str, ...] = ()
    ports: tuple[tuple[str, bool], ...] = ()  # (name, required)
    defaults: tuple[tuple[str, str], ...] = ()

    def default(self, name: str) -> str | None:
        """The default of a parameter as source, or None."""
        return dict(self.defaults).get(name)


def call_signature(member: Member | None, context: Context) -> Signature:
    """How a member Module is called: the parameters of its forward."""
    if member is None or member.call is None:
        return Signature()
    info = context.classes.get(member.dotted or "")
    if info is not None:
        return function_signature(info.methods.get("forward"), context, ports=True)
    return _module_signature(member.dotted)


@lru_cache(maxsize=1_000)
def _module_signature(dotted: str | None) -> Signature:
    entry = module_entry(dotted)
    if entry is None:
        return Signature()
    ports = tuple((port.name, not port.optional) for port in entry.ports)
    return Signature(tuple(name for name, _ in ports), ports)


def function_signature(
    function: FunctionNode | None, context: Context, ports: bool = False
) -> Signature:
    """The parameters of a function of the file; of a method without its first."""
    if function is None:
        return Signature()
    arguments = [*function.args.posonlyargs, *function.args.args]
    defaults: list[ast.expr | None] = [None] * (len(arguments) - len(function.args.defaults))
    pairs = list(zip(arguments, [*defaults, *function.args.defaults], strict=True))
    is_method = bool(arguments) and context.functions.get(function.name) is not function
    pairs = pairs[1:] if is_method else pairs
    pairs += zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    given = tuple(
        (argument.arg, context.text.text(value)) for argument, value in pairs if value is not None
    )
    names = tuple(argument.arg for argument, _ in pairs)
    drawn = tuple((argument.arg, value is None) for argument, value in pairs) if ports else ()
    return Signature(names, drawn, given)


def dotted_signature(dotted: str | None, context: Context) -> Signature:
    """The parameters of a function or class by its full name."""
    if dotted is None:
        return Signature()
    if dotted in context.functions:
        return function_signature(context.functions[dotted], context)
    if dotted in context.classes:
        return function_signature(context.classes[dotted].methods.get("__init__"), context)
    return _library_signature(dotted)


@lru_cache(maxsize=1_000)
def _library_signature(dotted: str) -> Signature:
    operation = operation_of(dotted)
    if operation is not None:
        known = tuple((name, text) for name, text in operation.arguments if text is not None)
        return Signature(operation.parameters, (), known)
    return _constructor_signature(dotted)


@lru_cache(maxsize=1_000)
def method_signature(name: str) -> Signature:
    """The parameters of a tensor's method."""
    operation = operation_of(f"torch.{name}")
    known = operation.arguments if operation is not None and operation.method else ()
    return Signature(
        method_parameters(name), (), tuple((key, text) for key, text in known if text is not None)
    )


def constructor_arguments(member: Member | None, context: Context) -> list[Argument]:
    """The fields of a member Module: what its constructor is given, then what it leaves out."""
    if member is None or member.call is None or is_sequence(member):
        return []
    return bound_arguments(member.call, dotted_signature(member.dotted, context), context)


def bound_arguments(call: ast.Call, signature: Signature, context: Context) -> list[Argument]:
    """All arguments of a call as fields, those left at their default last."""
    fields = []
    given = set()
    for name, value in named_arguments(call, signature, first="argument"):
        given.add(name)
        text = context.text.text(value)
        fields.append(Argument(name, text, span_of(value), signature.default(name)))
    for name, default in signature.defaults:
        if name not in given:
            fields.append(Argument(name, default, None, default))
    return fields


def named_arguments(
    call: ast.Call, signature: Signature, first: str = "input"
) -> list[tuple[str, ast.expr]]:
    """The arguments of a call with the names of its signature, as they stand in the source."""
    named = []
    names = positional_names(signature, len(call.args), first)
    for name, value in zip(names, call.args, strict=True):
        named.append((f"*{name}" if isinstance(value, ast.Starred) else name, value))
    for keyword in call.keywords:
        named.append((keyword.arg or "**kwargs", keyword.value))
    return named


def positional_names(signature: Signature, count: int, first: str) -> Sequence[str]:
    """Names for ``count`` arguments given by place."""
    names = list(signature.names[:count])
    if names and len(names) < count:
        # `view(2, 3)`: the last parameter takes them all.
        last = names[-1]
        if len(signature.names) == 1:
            return [f"{last}{number + 1}" for number in range(count)]
    for number in range(len(names), count):
        name = first if number == 0 else f"{first}{number + 1}"
        while name in names:
            name += "_"
        names.append(name)
    return names


def _constructor_signature(dotted: str) -> Signature:
    entry = module_entry(dotted)
    if entry is not None:
        # `*args` (of Sequential, of Tanh) has no name that a field could show.
        names = tuple(argument.name for argument in entry.arguments if argument.name != "args")
        defaults = tuple(
            (argument.name, repr(argument.default))
            for argument in entry.arguments
            if argument.name in names
            and isinstance(argument.default, str | int | float | bool | tuple | None)
        )
        return Signature(names, (), defaults)
    if dotted.startswith("torch.optim."):
        return Signature(("params", "lr"))
    return Signature()
