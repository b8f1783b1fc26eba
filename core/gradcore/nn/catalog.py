"""The table of all Module classes: what the palette, the node ports and the tests are made from.

A class is entered by the decorator `module` that stands above it. The entry says how shapes
go through (`shape`), so that a wire can be refused before anything runs, and gives sample
arguments and inputs, from which the tests are generated.

A shape contract is written as in PyTorch's documentation:

    "(*, in_features) -> (*, out_features)"
    "([N], in_channels, H, W) -> ([N], out_channels, H_out, W_out)"

`*` stands for any number of axes, `[N]` for an axis that may be missing, the name of a
constructor argument for its value, any other name for a size that is the same wherever the
name stands. Names that appear on the right only are computed by the entry's `derive`.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from gradcore.errors import ShapeError

Size = int | str
Shape = tuple[Size, ...]
Derive = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]
_Class = TypeVar("_Class", bound=type)


class Input(NamedTuple):
    """A sample input: its shape and what values it holds.

    `kind` is one of "normal", "positive", "probability" (0 to 1), "signs" (-1 or 1),
    "integers" (below `high`), "distribution" (sums to 1 over axis 1).
    """

    shape: tuple[int, ...]
    kind: str = "normal"
    high: int = 0


class Sample(NamedTuple):
    """Constructor arguments and the inputs of one call."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[Input, ...]


def sample(*args: Any, inputs: Sequence[Any], **kwargs: Any) -> Sample:
    """Note one sample: constructor arguments, and inputs as shapes or `Input`s."""
    given = tuple(item if isinstance(item, Input) else Input(tuple(item)) for item in inputs)
    return Sample(args, kwargs, given)


def integers(*shape: int, high: int) -> Input:
    """A sample input of whole numbers from 0 to `high` - 1."""
    return Input(shape, "integers", high)


class Argument(NamedTuple):
    """One constructor argument; `default` is `REQUIRED` where there is none."""

    name: str
    default: Any
    annotation: Any


REQUIRED = inspect.Parameter.empty


class Port(NamedTuple):
    """One input of `forward`."""

    name: str
    optional: bool


class Axis(NamedTuple):
    """One element of a pattern: a name or number, and whether it is `*` or may be missing."""

    text: str
    optional: bool = False

    @property
    def is_star(self) -> bool:
        """Whether it stands for any number of axes."""
        return self.text == "*"


Pattern = tuple[Axis, ...]


class Contract(NamedTuple):
    """A parsed shape contract."""

    text: str
    inputs: tuple[Pattern, ...]
    outputs: tuple[Pattern, ...]


class ModuleEntry:
    """What the table knows of one Module class."""

    def __init__(
        self,
        cls: type,
        family: str,
        summary: str,
        aliases: tuple[str, ...] = (),
        samples: tuple[Sample, ...] = (),
        contract: str | None = None,
        derive: Derive | None = None,
    ) -> None:
        self.cls = cls
        self.family = family
        self.summary = summary
        self.aliases = aliases
        self.samples = samples
        self.derive = derive
        self._contract = contract

    def __repr__(self) -> str:
        return f"ModuleEntry({self.name}, family={self.family!r})"

    @cached_property
    def shape(self) -> Contract | None:
        """The shape contract, read when it is first asked for: importing stays quick."""
        return None if self._contract is None else parse_contract(self._contract)

    @property
    def name(self) -> str:
        """The class's name, as in the palette."""
        return self.cls.__name__

    @cached_property
    def arguments(self) -> tuple[Argument, ...]:
        """The constructor's arguments, without `device` and `dtype`."""
        return tuple(
            Argument(name, parameter.default, parameter.annotation)
            for name, parameter in inspect.signature(self.cls).parameters.items()
            if name not in ("device", "dtype") and parameter.kind is not parameter.VAR_KEYWORD
        )

    @cached_property
    def ports(self) -> tuple[Port, ...]:
        """The inputs of `forward`, in order."""
        parameters = inspect.signature(self.cls.forward).parameters  # type: ignore[attr-defined]  # a Module
        return tuple(
            Port(name, parameter.default is not REQUIRED)
            for name, parameter in list(parameters.items())[1:]
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of `forward`'s inputs."""
        return tuple(port.name for port in self.ports)

    def completed(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Add the defaults of the arguments that are not given."""
        known = {
            argument.name: argument.default
            for argument in self.arguments
            if argument.default is not REQUIRED
        }
        return {**known, **arguments}

    def arguments_of(self, module: Any) -> dict[str, Any]:
        """Read a live module's constructor arguments from its attributes."""
        return {
            argument.name: getattr(module, argument.name)
            for argument in self.arguments
            if hasattr(module, argument.name)
        }

    def infer(self, arguments: Mapping[str, Any], *input_shapes: Sequence[Size]) -> Any:
        """Return the output's shape for inputs of these shapes.

        A size may be a string (`"N"`): then it is unknown, fits everywhere and is passed on.

        Returns: one shape, or a tuple of shapes where the contract has several outputs; None
            where the class has no contract.
        Raises:  ShapeError with the fields `got`, `wants`, `port`, `repair` (argument -> value).
        """
        if self.shape is None:
            return None
        known = self.completed(arguments)
        bound: dict[str, Any] = {}
        for port, (pattern, given) in enumerate(zip(self.shape.inputs, input_shapes, strict=False)):
            _match(self, pattern, tuple(given), known, bound, port)
        derived = dict(self.derive(known, bound)) if self.derive is not None else {}
        names = {**known, **bound, **derived}
        shapes = tuple(_filled(pattern, names) for pattern in self.shape.outputs)
        return shapes[0] if len(shapes) == 1 else shapes

    def signature(self, arguments: Mapping[str, Any]) -> str:
        """Print the class with the sizes that decide what fits: `Linear(3 -> 4)`."""
        if self.shape is None:
            return self.name
        known = self.completed(arguments)
        sides = []
        for patterns in (self.shape.inputs, self.shape.outputs):
            texts = [axis.text for pattern in patterns for axis in pattern if axis.text in known]
            sides.append(", ".join(str(known[text]) for text in dict.fromkeys(texts)))
        taken, given = sides
        if not taken and not given:
            return self.name
        return (
            f"{self.name}({taken} -> {given})"
            if given and given != taken
            else (f"{self.name}({taken})")
        )


_MODULES: dict[str, ModuleEntry] = {}
_BY_CLASS: dict[type, ModuleEntry] = {}


def module(
    *,
    family: str,
    summary: str,
    samples: Sequence[Sample] = (),
    shape: str | None = None,
    derive: Derive | None = None,
    aliases: Sequence[str] = (),
) -> Callable[[_Class], _Class]:
    """Enter a Module class in the table."""

    def enter(cls: _Class) -> _Class:
        entry = ModuleEntry(cls, family, summary, tuple(aliases), tuple(samples), shape, derive)
        _MODULES[cls.__name__] = entry
        _BY_CLASS[cls] = entry
        return cls

    return enter


def all_modules() -> Mapping[str, ModuleEntry]:
    """Return the entries of all Module classes by name; loads those that nobody has used yet."""
    nn = importlib.import_module("gradcore.nn")
    for name in nn.__all__:
        getattr(nn, name)
    return _MODULES


def entry_of(instance: object) -> ModuleEntry | None:
    """Return the entry of an object's very class; a subclass has its own forward, so none."""
    return _BY_CLASS.get(type(instance))


_PATTERN = re.compile(r"\(([^()]*)\)")


def parse_contract(text: str) -> Contract:
    """Read a shape contract."""
    left, arrow, right = text.partition("->")
    if not arrow:
        raise ValueError(f"a shape contract needs an arrow: {text!r}")
    return Contract(text, _patterns(left), _patterns(right))


def _patterns(text: str) -> tuple[Pattern, ...]:
    return tuple(
        tuple(_axis(part.strip()) for part in found.split(",") if part.strip())
        for found in _PATTERN.findall(text)
    )


def _axis(text: str) -> Axis:
    if text.startswith("["):
        return Axis(text[1:-1], optional=True)
    return Axis(text)


def _match(
    entry: ModuleEntry,
    pattern: Pattern,
    given: Shape,
    known: Mapping[str, Any],
    bound: dict[str, Any],
    port: int,
) -> None:
    """Lay a pattern over a shape, bind its free names, and refuse what does not fit."""
    # The refusal names sizes that inputs before this one have set, not those it sets itself.
    before = dict(bound)
    fixed = [axis for axis in pattern if not axis.is_star and not axis.optional]
    spare = len(given) - len(fixed)
    has_star = any(axis.is_star for axis in pattern)
    optional = sum(axis.optional for axis in pattern)
    if spare < 0 or (not has_star and spare > optional):
        raise _refusal(entry, pattern, given, known, before, port, {})
    place = 0
    repair: dict[str, Any] = {}
    fits = True
    for axis in pattern:
        if axis.is_star:
            _bind(bound, "*", given[place : place + spare])
            place += spare
        elif axis.optional:
            _bind(bound, f"[{axis.text}]", given[place : place + min(spare, 1)])
            place += min(spare, 1)
            spare -= min(spare, 1)
        else:
            wanted = _wanted(axis.text, known, bound)
            size = given[place]
            place += 1
            if wanted is None:
                bound[axis.text] = size
            elif isinstance(size, int) and isinstance(wanted, int) and wanted != size:
                fits = False
                if axis.text in known:
                    repair[axis.text] = size
    if not fits:
        raise _refusal(entry, pattern, given, known, before, port, repair)


def _bind(bound: dict[str, Any], name: str, sizes: Shape) -> None:
    bound.setdefault(name, sizes)


def _wanted(text: str, known: Mapping[str, Any], bound: Mapping[str, Any]) -> Any:
    """Return the size an axis must have, or None if it is still free."""
    if text.isdigit():
        return int(text)
    return known.get(text, bound.get(text))


def _filled(pattern: Pattern, names: Mapping[str, Any]) -> Shape:
    sizes: list[Size] = []
    for axis in pattern:
        if axis.is_star:
            sizes.extend(names.get("*", ()))
        elif axis.optional:
            sizes.extend(names.get(f"[{axis.text}]", ()))
        elif axis.text.isdigit():
            sizes.append(int(axis.text))
        else:
            value = names[axis.text]
            # A derived name may stand for several axes at once.
            sizes.extend(value if isinstance(value, tuple) else (value,))
    return tuple(sizes)


def _refusal(
    entry: ModuleEntry,
    pattern: Pattern,
    given: Shape,
    known: Mapping[str, Any],
    bound: Mapping[str, Any],
    port: int,
    repair: dict[str, Any],
) -> ShapeError:
    wants = written(pattern, known, bound)
    got = shape_text(given)
    name = entry.inputs[port] if port < len(entry.inputs) else f"input {port}"
    reason = f"got {got}, {entry.name} wants {wants}"
    if port:
        reason += f" as `{name}`"
    changes = ", ".join(f"{key}={value}" for key, value in repair.items())
    cure = f"Set {changes}, or change what feeds it." if changes else "Change what feeds it."
    return ShapeError(
        reason, "", cure, got=given, wants=wants, port=name, repair=repair, reason=reason
    )


def written(
    pattern: Pattern, known: Mapping[str, Any], bound: Mapping[str, Any] | None = None
) -> str:
    """Print a pattern with the values that are known put in: `(*, 16)`."""
    parts = []
    for axis in pattern:
        if axis.is_star:
            parts.append("*")
        elif axis.optional:
            parts.append(f"[{axis.text}]")
        else:
            value = _wanted(axis.text, known, bound or {})
            parts.append(str(axis.text if value is None else value))
    return "(" + ", ".join(parts) + ("," if parts and len(parts) == 1 else "") + ")"


def shape_text(shape: Sequence[Size]) -> str:
    """Print a shape as Python prints a tuple, names without quotes."""
    parts = [str(size) for size in shape]
    return "(" + ", ".join(parts) + ("," if len(parts) == 1 else "") + ")"


def derive_error(reason: str, cure: str = "Change what feeds it.", **fields: Any) -> ShapeError:
    """Make the refusal a `derive` function raises."""
    return ShapeError(reason, "", cure, **{"repair": {}, "reason": reason, **fields})
