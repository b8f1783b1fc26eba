"""Search-to-add: what can be added, found by name, alias or a few letters, ready to write.

``linear 16`` becomes ``nn.Linear(8, 16)`` where the selected port gives (N, 8). The order of
the answers depends on nothing but the query, the shape and the document.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paramscope.code.catalog import modules
from paramscope.code.commands.calls import template_of
from paramscope.code.graph import NodeKind, Program
from paramscope.code.operations import OPERATIONS, Operation
from paramscope.code.shape_rules import Misfit, Shape, Size, operation_shape, shape_text

if TYPE_CHECKING:
    from gradcore.nn.catalog import ModuleEntry

# What people reach for first; among equals these lead, in this order.
_POPULAR = (
    "Linear Conv2d ReLU relu Dropout BatchNorm1d BatchNorm2d LayerNorm Embedding Flatten flatten "
    "MaxPool2d tanh Tanh sigmoid Sigmoid GELU gelu softmax LSTM GRU RNN MultiheadAttention "
    "Sequential cat add mul matmul mean sum"
)
# Values for required arguments that neither the query nor the shape gives.
_USUAL_VALUES: Mapping[str, str] = {
    "in_features": "8",
    "out_features": "8",
    "in_channels": "1",
    "out_channels": "16",
    "kernel_size": "3",
    "hidden_size": "16",
    "input_size": "8",
    "num_features": "8",
    "num_embeddings": "10",
    "embedding_dim": "8",
    "num_heads": "1",
    "nhead": "1",
    "num_groups": "1",
    "output_size": "1",
    "normalized_shape": "8",
    "embed_dim": "8",
    "d_model": "8",
    "num_layers": "1",
    "upscale_factor": "2",
    "unflattened_size": "(2, -1)",
    "dim": "1",
    "threshold": "0.0",
    "value": "0.0",
    "padding": "1",
    "size": "2",
}
# Arguments that must be the size of the last axis, though no contract names it.
_LAST_AXIS = ("normalized_shape", "embed_dim", "d_model")
_LIKE_INPUT = {"out_features": "in_features"}
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that can be added; ``template`` is what is written without any arguments."""

    title: str
    family: str
    summary: str
    template: str
    aliases: tuple[str, ...] = ()
    kind: NodeKind = NodeKind.MODULE


@dataclass(frozen=True, slots=True)
class Match:
    """One answer: the entry, the Python to write, and whether it fits the selected output.

    ``reason`` says why it does not fit.
    """

    entry: Entry
    expression: str
    fits: bool = True
    reason: str = ""


def entries(program: Program | None = None) -> tuple[Entry, ...]:
    """Everything that can be added to a graph: the document's classes, Modules, operations."""
    found = []
    for name in program.graphs if program is not None else ():
        if name and "." not in name:
            found.append(Entry(name, "this document", "A class of this document.", f"{name}()"))
    for name, entry in modules().items():
        found.append(Entry(name, entry.family, entry.summary, f"nn.{name}()", entry.aliases))
    for operation in OPERATIONS.values():
        if operation.in_palette:
            found.append(
                Entry(
                    operation.name,
                    operation.family,
                    operation.summary,
                    template_of(operation),
                    operation.aliases,
                    NodeKind.OPERATION,
                )
            )
    return tuple(found)


def search(
    query: str,
    program: Program | None = None,
    source_shape: Shape | None = None,
    only_fitting: bool = False,
) -> list[Match]:
    """Return what the query may mean, best first; arguments in it are completed.

    ``source_shape`` is that of the output the new node is wired to: it fills in sizes, and
    what cannot take it comes last (or, with ``only_fitting``, not at all); what is called by
    its very name comes first all the same.
    """
    words, given = _split(query)
    scored = []
    for place, entry in enumerate(entries(program)):
        score = _score(words, entry)
        if score is None:
            continue
        match = _completed(entry, given, source_shape)
        if match.fits or not only_fitting:
            popular = _POPULARITY.get(entry.title, len(_POPULARITY))
            order = (
                not match.fits and score > 0,
                score,
                popular,
                _KINDS[entry.kind],
                len(entry.title),
                place,
            )
            scored.append((order, match))
    return [match for _, match in sorted(scored, key=lambda pair: pair[0])]


def _split(query: str) -> tuple[str, list[str]]:
    """The name that is looked for and the arguments behind it."""
    query = query.strip()
    head, bracket, rest = query.partition("(")
    if bracket:
        return head.rpartition(".")[2].strip(), _arguments(rest.rstrip(") "))
    found = re.match(r"(?P<name>.*?)(?:\s+(?P<rest>[-\d(\[]\S*.*|\w+=.*))?\Z", query, re.DOTALL)
    if found is None:
        return query, []
    name = found["name"].strip()
    return name.rpartition(".")[2] or name, _arguments(found["rest"] or "")


def _arguments(text: str) -> list[str]:
    """Arguments that stand between commas or spaces, brackets kept together."""
    parts: list[str] = []
    depth, current = 0, ""
    for character in text:
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        if depth == 0 and (character == "," or character.isspace()):
            if current:
                parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current] if current else parts


def _score(query: str, entry: Entry) -> int | None:
    """How well a name fits, 0 best; None if not at all."""
    if not query:
        return 0 if entry.title in _POPULARITY else 9
    wanted, title = query.lower(), entry.title.lower()
    aliases = [alias.lower() for alias in entry.aliases]
    spaced = " ".join(_WORDS.findall(entry.title)).lower()
    hits = (
        wanted == title,
        wanted in aliases,
        title.startswith(wanted),
        any(alias.startswith(wanted) for alias in aliases),
        _hits_words(wanted, spaced.split()),
        wanted in title or wanted in spaced,
        any(wanted in alias for alias in aliases),
        len(wanted) > 2 and _is_subsequence(wanted, title),
        len(wanted) > 3 and wanted in entry.summary.lower(),
    )
    return next((score for score, hit in enumerate(hits) if hit), None)


def _hits_words(wanted: str, words: Sequence[str]) -> bool:
    """Whether letters begin the words of a name, as ``bn`` does Batch Norm and ``mhead``."""
    if not wanted:
        return True
    if not words:
        return False
    first, rest = words[0], words[1:]
    for length in range(min(len(first), len(wanted)), 0, -1):
        if first.startswith(wanted[:length]) and _hits_words(wanted[length:].lstrip(), rest):
            return True
    return False


def _is_subsequence(wanted: str, title: str) -> bool:
    rest = iter(title)
    return wanted[0] == title[0] and all(character in rest for character in wanted)


def _completed(entry: Entry, given: Sequence[str], shape: Shape | None) -> Match:
    if entry.family == "this document":
        return Match(entry, f"{entry.title}({', '.join(given)})")
    if entry.kind is NodeKind.OPERATION:
        return _completed_operation(entry, given, shape)
    module = modules()[entry.title]
    expression, values = _module_call(module, given, shape)
    if shape is None or module.shape is None:
        return Match(entry, expression)
    try:
        module.infer(values, shape)
    except RuntimeError as error:
        fields: Mapping[str, object] = getattr(error, "fields", {})
        return Match(entry, expression, False, str(fields.get("reason") or error))
    except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError, AttributeError):
        pass  # a size that is not known
    return Match(entry, expression)


def _module_call(
    module: "ModuleEntry", given: Sequence[str], shape: Shape | None
) -> tuple[str, dict[str, object]]:
    """The constructor with its required arguments, from the query, the shape, or habit."""
    keywords = [text for text in given if re.match(r"\w+=", text)]
    values = [text for text in given if text not in keywords]
    named = dict(text.split("=", 1) for text in keywords)
    optional = _optional_names(module)
    names = [item.name for item in module.arguments if item.name != "args"]
    required = [name for name in names if name not in optional and name not in named]
    from_shape = _sizes(module, shape) if shape is not None else {}
    filled: dict[str, str] = {}
    if len(values) < len(required):
        filled = {name: str(from_shape[name]) for name in required if name in from_shape}
        missing = len(required) - len(filled)
        if len(values) > missing:  # the user says what the shape would have said
            filled = {}
    rest = iter(values)
    for name in required:
        if name not in filled:
            text = next(rest, None)
            if text is None:
                like = filled.get(_LIKE_INPUT.get(name, ""))
                text = like or _USUAL_VALUES.get(name, "1")
            filled[name] = text
    positional = [filled[name] for name in required]
    later = [name for name in names if name not in required]
    extra = [f"{name}={text}" for name, text in zip(later, rest, strict=False)]
    shown = extra
    if not positional:  # nn.Dropout(0.2)
        shown = [text.partition("=")[2] for text in extra[:1]] + extra[1:]
    written = ", ".join([*positional, *shown, *keywords])
    known: dict[str, object] = {}
    pairs = [*filled.items(), *named.items(), *(item.split("=", 1) for item in extra)]
    for name, text in pairs:
        known[name] = int(text) if re.fullmatch(r"-?\d+", text) else text
    return f"nn.{module.name}({written})", known


def _optional_names(module: "ModuleEntry") -> set[str]:
    return set(module.completed({}))


def _sizes(module: "ModuleEntry", shape: Shape) -> dict[str, Size]:
    """Constructor arguments that the shape of the first input decides."""
    sizes: dict[str, Size] = {}
    if shape and isinstance(shape[-1], int):
        sizes.update(dict.fromkeys(_LAST_AXIS, shape[-1]))
    if module.shape is None or not module.shape.inputs:
        return sizes
    pattern = module.shape.inputs[0]
    for axes, axis_sizes in ((pattern, shape), (pattern[::-1], shape[::-1])):
        for axis, size in zip(axes, axis_sizes, strict=False):
            if axis.is_star or axis.optional:
                break
            if isinstance(size, int):
                sizes.setdefault(axis.text, size)
    return sizes


def _completed_operation(entry: Entry, given: Sequence[str], shape: Shape | None) -> Match:
    operation = _operation(entry)
    expression = _operation_call(operation, entry, given)
    if shape is not None and len(operation.inputs) == 1 and not operation.variadic:
        arguments = {name: int(text) for name, text in re.findall(r"(\w+)=(-?\d+)\b", expression)}
        try:
            operation_shape(operation.name, [shape], arguments)
        except Misfit as misfit:
            return Match(entry, expression, False, str(misfit))
        length = len(shape) + (operation.name == "unsqueeze")
        for name in ("dim", "start_dim", "dim0", "dim1"):
            if not -length <= arguments.get(name, 0) < max(length, 1):
                reason = f"{shape_text(shape)} has no axis {arguments[name]}"
                return Match(entry, expression, False, reason)
    return Match(entry, expression)


def _operation(entry: Entry) -> Operation:
    return next(
        operation
        for operation in OPERATIONS.values()
        if operation.name == entry.title and operation.in_palette
    )


def _operation_call(operation: Operation, entry: Entry, given: Sequence[str]) -> str:
    """The call with its holes and the arguments of the query, by name."""
    if not given:
        return entry.template
    keywords = dict(text.split("=", 1) for text in given if re.match(r"\w+=", text))
    values = [text for text in given if not re.match(r"\w+=", text)]
    names = [name for name, _ in operation.arguments]
    if names[:1] == ["shape"] and len(values) > 1:
        values = [f"({', '.join(values)})"]
    pairs = {**dict(zip(names, values, strict=False)), **keywords}
    inner = entry.template[entry.template.index("(") + 1 : -1]
    holes = "[..., ...]" if operation.variadic else ", ".join("..." for _ in operation.inputs)
    defaults = (
        dict(
            part.split("=", 1) for part in inner.removeprefix(holes).strip(", ").split(", ") if part
        )
        if "(" not in inner.removeprefix(holes)
        else {}
    )
    pairs = {**defaults, **pairs}
    written = ", ".join([holes, *(f"{name}={text}" for name, text in pairs.items())])
    return f"{entry.template[: entry.template.index('(')]}({written})"


def _numbered(words: Iterable[str]) -> dict[str, int]:
    return {word: place for place, word in enumerate(words)}


_POPULARITY = _numbered(_POPULAR.split(" "))
_KINDS = {NodeKind.OPERATION: 1, NodeKind.MODULE: 0}
