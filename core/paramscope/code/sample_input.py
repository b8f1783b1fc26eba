"""Guesses a sample input for a model from its ``forward``, each part with its reason.

What the file itself calls the model with comes first. Else ``__init__`` and ``forward`` are read
(never run): the first layer that takes an argument says what it wants, and sizes that are left
open (of images, of sequences) are tried until everything behind fits.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from paramscope.code.names import statements_of
from paramscope.code.parse import Analysis, SourceError, analyze
from paramscope.code.reading.reader import Reader
from paramscope.code.reading.values import UNKNOWN, Bound, Layer, Tensor, Thing, Wish
from paramscope.code.shape_rules import Misfit, Shape
from paramscope.code.syntax import FunctionNode

BATCH = 4
_LENGTHS = (8, 16, 32, 64, 128, 256, 512, 1024, 10, 20, 50, 100)
_SIDES = (32, 28, 64, 224, 16, 96, 128, 256, 227, 84, 48, 8, 299, 512)
_MOST_TRIES = 60
_MOST_STEPS = 400_000  # of reading, in all tries together: about a second
_FACTORIES = frozenset({"randn", "rand", "zeros", "ones", "randint", "full", "arange", "tensor"})
# Names of arguments that say more of themselves than the way they are used.
_BY_NAME: tuple[tuple[str, str, str], ...] = (
    (r"(.*_)?(ids|idx|tokens?|token_ids|input_ids)$", "randint(0, 10, ({n}, 8))", "token numbers"),
    (r"(t|ts|timesteps?|time_?steps?|noise_level)$", "randint(0, 10, ({n},))", "time steps"),
    (r"(labels?|classes|class_?labels?|y|c|cond)$", "randint(0, 10, ({n},))", "class numbers"),
    (r"(images?|imgs?|pixels?|pixel_values)$", "randn({n}, 3, 32, 32)", "images"),
    (r"(audio|wav|waveforms?|signals?)$", "randn({n}, 1, 256)", "a signal"),
    (r"(state|states|obs|observations?)$", "randn({n}, 4)", "a state"),
    (r"(actions?)$", "randn({n}, 2)", "an action"),
    (r"(z|noise|latents?)$", "randn({n}, 16)", "noise"),
)


@dataclass(frozen=True, slots=True)
class Guess:
    """What one argument of ``forward`` may be given, and why. An empty text is no guess."""

    name: str
    text: str
    reason: str


def guess_inputs(source: str, expression: str) -> tuple[Guess, ...]:
    """Return a guess for each argument that ``forward`` of a model of the file needs.

    ``expression`` makes the model: ``Net(16)``; its numbers decide the sizes.
    """
    try:
        analysis = analyze(source)
    except SourceError:
        return ()
    name = re.split(r"\W", expression.strip(), maxsplit=1)[0]
    called = _as_called(analysis, name)
    reader = Reader(analysis)
    try:
        model = reader.evaluate(expression)
    except (SyntaxError, ValueError, Misfit, Bound, RecursionError):
        model = UNKNOWN
    if isinstance(model, Layer):
        return (_of_layer(reader, model),)
    if not isinstance(model, Thing):
        return _plain_guesses(analysis, name, called)
    forward = reader.method(model, "forward")
    if forward is None:
        return ()
    names = needed_by(forward)
    if called and len(called) >= len(names):
        return tuple(
            Guess(argument, text, f"as the file calls it in line {line}")
            for argument, (text, line) in zip(names, called, strict=False)
        )
    return _read_guesses(reader, model, names)


def needed_by(forward: FunctionNode) -> tuple[str, ...]:
    """Return the arguments without which ``forward`` cannot be called, but ``self``."""
    signature = forward.args
    listed = [one.arg for one in (*signature.posonlyargs, *signature.args)]
    return tuple(listed[1 : len(listed) - len(signature.defaults) or None])


# From the way it is read


def _read_guesses(reader: Reader, model: Thing, names: Sequence[str]) -> tuple[Guess, ...]:
    try:
        reader.forward(model, [Tensor(None, name) for name in names])
    except (Misfit, Bound, RecursionError):
        pass  # what was seen until then counts
    wishes, ranks = dict(reader.calls.wishes), dict(reader.calls.ranks)
    options = [_options(name, wishes.get(name), ranks.get(name)) for name in names]
    chosen, has_fit = _first_that_fits(reader, model, names, options)
    found = []
    for name, shapes, shape in zip(names, options, chosen, strict=True):
        wish = wishes.get(name)
        if shape is None:
            found.append(_by_name(name))
            continue
        reason = _reason(wish, ranks.get(name))
        if len(shapes) > 1:
            reason += ", a size that fits what follows" if has_fit else ", a usual size"
        found.append(Guess(name, _text(shape, wish), reason))
    return tuple(found)


def _of_layer(reader: Reader, layer: Layer) -> Guess:
    """Guess for a model that is a container of the library's layers itself."""
    try:
        reader.call(layer, [Tensor(None, "input")], {}, None)
    except (Misfit, Bound, RecursionError):
        pass
    wish = reader.calls.wishes.get("input")
    shapes = _options("input", wish, None)
    if not shapes:
        return _by_name("input")
    return Guess("input", _text(shapes[0], wish), _reason(wish, None))


def _options(name: str, wish: Wish | None, rank: int | None) -> list[Shape]:
    """Return the shapes that an argument may have, the likeliest first; empty if unknown."""
    if wish is None:
        if rank == 4:
            return [(BATCH, 3, side, side) for side in _SIDES]
        return [(BATCH, length, 16) for length in _LENGTHS[:2]] if rank == 3 else []
    layer, known = wish.layer, wish.arguments
    if layer == "*":
        shape = known["shape"]
        return [(BATCH, *shape[-1:])]
    if layer == "Embedding":
        flat: list[Shape] = [(BATCH,)] if rank is None else []
        sequences: list[Shape] = [(BATCH, length) for length in _LENGTHS]
        return flat + sequences if _is_single(name) else sequences + flat
    spatial = re.search(r"([123])d$", layer)
    if spatial is not None:
        return _spatial(layer, known, int(spatial.group(1)), rank)
    size = _first_size(known, ("in_features", "input_size", "embed_dim", "d_model"))
    if layer == "Bilinear":
        size = _first_size(known, (f"in{wish.port + 1}_features",))
    if layer in ("LayerNorm", "RMSNorm"):
        shape = known.get("normalized_shape")
        size = shape if isinstance(shape, int) else None
        if isinstance(shape, tuple | list) and all(isinstance(one, int) for one in shape):
            return [(BATCH, *shape)]
    if size is None:
        return []
    return _featured(layer, known, size, rank, wish)


def _featured(
    layer: str, known: Mapping[str, object], size: int, rank: int | None, wish: Wish
) -> list[Shape]:
    """Shapes for layers that look at the last axis."""
    is_sequence = layer in ("RNN", "LSTM", "GRU", "MultiheadAttention") or "Transformer" in layer
    if is_sequence:
        first = known.get("batch_first") is True
        shapes: list[Shape] = [
            (BATCH, length, size) if first else (length, BATCH, size) for length in _LENGTHS
        ]
        return shapes
    if wish.is_flat:
        return _flattened(size)
    if rank == 3 or layer in ("LayerNorm", "RMSNorm"):
        return [(BATCH, length, size) for length in _LENGTHS]
    return [(BATCH, size), *((BATCH, length, size) for length in _LENGTHS[:3])]


def _flattened(size: int) -> list[Shape]:
    """Shapes of so many values: a picture where the number is one's, else a plain row."""
    shapes: list[Shape] = []
    for channels in (1, 3):
        side = round((size / channels) ** 0.5)
        if side > 3 and channels * side * side == size:
            shapes.append((BATCH, channels, side, side))
    return [*shapes, (BATCH, size)]


def _spatial(layer: str, known: Mapping[str, object], axes: int, rank: int | None) -> list[Shape]:
    """Shapes for convolutions, pools and norms over 1, 2 or 3 axes."""
    channels = _first_size(known, ("in_channels", "num_features", "num_channels"))
    if layer == "BatchNorm1d" and rank != 3 and channels is not None:
        return [(BATCH, channels), (BATCH, channels, 16)]
    count = channels if channels is not None else 3
    if layer.startswith("ConvTranspose"):
        return [(BATCH, count, *(side,) * axes) for side in (1, 4, 8, 7, 16)]
    if axes == 1:
        return [(BATCH, count, length) for length in (64, 128, 32, 256, 512, 1024, 16, 100)]
    if axes == 3:
        return [(BATCH, count, side, side, side) for side in (16, 32, 8, 64)]
    return [(BATCH, count, side, side) for side in _SIDES]


def _first_that_fits(
    reader: Reader, model: Thing, names: Sequence[str], options: Sequence[list[Shape]]
) -> tuple[list[Shape | None], bool]:
    """Return the first shapes with which the whole ``forward`` can be read without a misfit."""
    first = [shapes[0] if shapes else None for shapes in options]
    choices: list[list[Shape | None]] = [[*shapes] or [None] for shapes in options]
    together = product(*choices)
    for number, shapes in enumerate(_likely_first(together, options)):
        if number >= _MOST_TRIES or reader.steps_taken > _MOST_STEPS:
            break
        try:
            reader.forward(
                model, [Tensor(shape, "") for shape, _ in zip(shapes, names, strict=True)]
            )
        except Misfit:
            continue
        except (Bound, RecursionError):
            break
        return list(shapes), True
    return first, False


def _likely_first(
    together: Iterator[tuple[Shape | None, ...]], options: Sequence[list[Shape]]
) -> Iterator[tuple[Shape | None, ...]]:
    """Try sizes that are the same in all arguments before others."""
    longest = max((len(shapes) for shapes in options), default=0)
    for place in range(longest):
        yield tuple(shapes[min(place, len(shapes) - 1)] if shapes else None for shapes in options)
    yield from together


def _text(shape: Shape, wish: Wish | None) -> str:
    sizes = ", ".join(map(str, shape))
    if wish is not None and wish.layer == "Embedding":
        most = wish.arguments.get("num_embeddings")
        high = most if isinstance(most, int) else 10
        return f"randint(0, {high}, ({sizes}{',' if len(shape) == 1 else ''}))"
    return f"randn({sizes})"


def _reason(wish: Wish | None, rank: int | None) -> str:
    if wish is None:
        return f"`forward` takes its shape apart into {rank} sizes"
    place = f"`{wish.place}`" if wish.place else wish.layer
    if wish.layer == "*":
        return f"`{wish.place}` in line {wish.line} wants {wish.arguments['shape'][-1]} columns"
    if wish.layer == "@":
        return f"{place} wants {wish.arguments['in_features']} columns"
    if wish.layer == "Embedding":
        most = wish.arguments.get("num_embeddings")
        return f"{place} looks up whole numbers below {most}"
    for name in ("in_features", "in_channels", "input_size", "embed_dim", "d_model"):
        if isinstance(wish.arguments.get(name), int):
            return f"{place} is {wish.layer}({name}={wish.arguments[name]})"
    return f"{place} is {wish.layer}"


def _by_name(name: str) -> Guess:
    for pattern, text, what in _BY_NAME:
        if re.match(pattern, name.lower()):
            return Guess(name, text.format(n=BATCH), f"by its name: {what}")
    if "mask" in name.lower():
        return Guess(name, "None", "a mask can often be left out")
    return Guess(name, "", "the source does not tell its shape")


def _plain_guesses(
    analysis: Analysis, name: str, called: Sequence[tuple[str, int]]
) -> tuple[Guess, ...]:
    """Guess where the model's making cannot be read: by calls and by names alone."""
    if called:
        return tuple(
            Guess(f"input {place}", text, f"as the file calls it in line {line}")
            for place, (text, line) in enumerate(called, 1)
        )
    info = analysis.context.classes.get(name)
    forward = info.methods.get("forward") if info is not None else None
    return tuple(_by_name(one) for one in needed_by(forward)) if forward is not None else ()


def _is_single(name: str) -> bool:
    return name.lower() in ("label", "labels", "y", "c", "user", "item", "users", "items")


def _first_size(known: Mapping[str, object], names: Sequence[str]) -> int | None:
    for name in names:
        value = known.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 24:
            return value
    return None


# From the file's own calls


def _as_called(analysis: Analysis, name: str) -> list[tuple[str, int]]:
    """Return what the file gives a model of this name, where it writes that out."""
    blocks: list[Sequence[ast.stmt]] = [analysis.tree.body]
    blocks += [n.body for n in analysis.tree.body if isinstance(n, ast.FunctionDef | ast.If)]
    for block in blocks:
        models, tensors = {name}, dict[str, ast.expr]()
        for statement in block:
            for inner in statements_of(statement) if not _is_scope(statement) else ():
                found = _call_in(inner, name, models, tensors)
                if found:
                    return found
                _note(inner, name, models, tensors)
    return []


def _is_scope(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)


def _note(statement: ast.stmt, name: str, models: set[str], tensors: dict[str, ast.expr]) -> None:
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return
    target, value = statement.targets[0].id, statement.value
    if _is_sample(value):
        tensors[target] = value
    elif any(
        isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == name
        for one in ast.walk(value)
    ):
        models.add(target)


def _call_in(
    statement: ast.stmt, name: str, models: set[str], tensors: Mapping[str, ast.expr]
) -> list[tuple[str, int]]:
    """Return the arguments of a call of a model in one statement, if they are all samples."""
    for call in ast.walk(statement) if not isinstance(statement, ast.With | ast.For) else ():
        if not isinstance(call, ast.Call) or not call.args or call.keywords:
            continue
        function = call.func
        is_made = isinstance(function, ast.Call) and isinstance(function.func, ast.Name)
        if is_made:
            assert isinstance(function, ast.Call) and isinstance(function.func, ast.Name)
            is_model = function.func.id == name
        else:
            is_model = isinstance(function, ast.Name) and function.id in models - {name}
        if not is_model:
            continue
        values = [tensors.get(one.id, one) if isinstance(one, ast.Name) else one
                  for one in call.args]  # fmt: skip
        if all(_is_sample(value) for value in values):
            return [(_sample_text(value), call.lineno) for value in values]
    return []


def _is_sample(value: ast.expr) -> bool:
    """Tell whether an expression makes a tensor from numbers alone: ``torch.randn(2, 3)``."""
    value = _bare(value)
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return False
    owner = value.func.value
    is_torch = isinstance(owner, ast.Name) and owner.id == "torch"
    parts = [one for item in (*value.args, *(k.value for k in value.keywords))
             for one in ast.walk(item)]  # fmt: skip
    plain = (ast.Constant, ast.Tuple, ast.List, ast.UnaryOp, ast.USub, ast.Load, ast.Attribute)
    return (
        is_torch
        and value.func.attr in _FACTORIES
        and all(
            isinstance(part, plain) or (isinstance(part, ast.Name) and part.id == "torch")
            for part in parts
        )
    )


def _bare(value: ast.expr) -> ast.expr:
    """Leave out ``.to(device)`` and ``.cuda()`` behind a sample."""
    while (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr in ("to", "cuda", "float", "requires_grad_")
    ):
        value = value.func.value
    return value


def _sample_text(value: ast.expr) -> str:
    """Return a sample as text; a batch of one becomes two, which BatchNorm can train on."""
    bare = ast.parse(ast.unparse(_bare(value)), mode="eval").body
    assert isinstance(bare, ast.Call)
    sizes = bare.args
    for item in bare.args:
        if isinstance(item, ast.Tuple | ast.List):
            sizes = item.elts
    if len(sizes) > 1 and isinstance(sizes[0], ast.Constant) and sizes[0].value == 1:
        if isinstance(bare.func, ast.Attribute) and bare.func.attr not in ("tensor", "arange"):
            sizes[0] = ast.Constant(2)
    return ast.unparse(bare)
