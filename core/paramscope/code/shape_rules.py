"""What shape an operation gives, from the shapes it gets; sizes may be names (``N``).

Modules have their contracts in gradcore's catalogue; these are the functions and operators.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod

Size = int | str
Shape = tuple[Size, ...]
Arguments = Mapping[str, object]
Rule = Callable[[Sequence[Shape], Arguments], Shape | None]


class Misfit(Exception):  # noqa: N818  (an answer, not a fault)
    """The shapes cannot go together; the text says which, in the user's words."""


def shape_text(shape: Sequence[Size]) -> str:
    """A shape as Python prints a tuple, names without quotes."""
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def operation_shape(name: str, shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    """The shape that an operation gives; None if that cannot be told.

    Raises: Misfit when the inputs do not fit each other.
    """
    rule = _RULES.get(name)
    if rule is None or not shapes:
        return None
    return rule(shapes, arguments)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The common shape of tensors that are combined element by element."""
    length = max(map(len, shapes))
    result: list[Size] = []
    for axis in range(length):
        sizes = [
            shape[axis - length + len(shape)] for shape in shapes if axis >= length - len(shape)
        ]
        found: Size = 1
        for size in sizes:
            if size == 1:
                continue
            if isinstance(found, int) and isinstance(size, int) and found not in (1, size):
                texts = " and ".join(shape_text(shape) for shape in shapes)
                raise Misfit(f"got {texts}, whose sizes {found} and {size} do not go together")
            found = size if found == 1 or isinstance(found, str) else found
        result.append(found)
    return tuple(result)


def _same(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    return shapes[0]


def _broadcast(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    return broadcast(shapes)


def _matmul(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    if len(shapes) < 2:
        return None
    left, right = shapes[0], shapes[1]
    if not left or not right:
        raise Misfit("@ wants tensors with at least one axis")
    inner = left[-1], right[-2] if len(right) > 1 else right[0]
    if isinstance(inner[0], int) and isinstance(inner[1], int) and inner[0] != inner[1]:
        texts = f"{shape_text(left)} @ {shape_text(right)}"
        raise Misfit(f"got {texts}: the sizes {inner[0]} and {inner[1]} must be equal")
    if len(right) == 1:
        return left[:-1]
    if len(left) == 1:
        return (*right[:-2], right[-1])
    return (*broadcast([left[:-2], right[:-2]]), left[-2], right[-1])


def _reduced(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    shape = shapes[0]
    dim = arguments.get("dim")
    if dim is None:
        return () if arguments.get("keepdim") is not True else tuple(1 for _ in shape)
    axes = _axes(dim, len(shape))
    if axes is None:
        return None
    keep = arguments.get("keepdim") is True
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
    return tuple(size for axis, size in enumerate(kept) if keep or axis not in axes)


def _flatten(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    shape = shapes[0]
    first = _axis(arguments.get("start_dim", 0), len(shape))
    last = _axis(arguments.get("end_dim", -1), len(shape))
    if first is None or last is None or first > last:
        return None
    return (*shape[:first], _product(shape[first : last + 1]), *shape[last + 1 :])


def _reshape(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    wanted = arguments.get("shape")
    if wanted is None:
        sizes: list[object] = []
        while f"shape{len(sizes) + 1}" in arguments:
            sizes.append(arguments[f"shape{len(sizes) + 1}"])
        wanted = tuple(sizes)
    if isinstance(wanted, int):
        wanted = (wanted,)
    if not isinstance(wanted, tuple) or not wanted:
        return None
    if not all(isinstance(size, int) for size in wanted):
        return None
    total = _product(shapes[0])
    known = prod(size for size in wanted if size != -1)
    if -1 not in wanted or not isinstance(total, int) or known == 0:
        return tuple("?" if size == -1 else size for size in wanted)
    if total % known:
        raise Misfit(f"got {shape_text(shapes[0])}, which cannot become {shape_text(wanted)}")
    return tuple(total // known if size == -1 else size for size in wanted)


def _cat(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    axis = _axis(arguments.get("dim", 0), len(shapes[0]))
    if axis is None or any(len(shape) != len(shapes[0]) for shape in shapes):
        texts = ", ".join(shape_text(shape) for shape in shapes)
        raise Misfit(f"got {texts}; cat wants tensors that differ in one axis only")
    rest = [(*shape[:axis], *shape[axis + 1 :]) for shape in shapes]
    for other in rest[1:]:
        for one, two in zip(rest[0], other, strict=True):
            if isinstance(one, int) and isinstance(two, int) and one != two:
                texts = ", ".join(shape_text(shape) for shape in shapes)
                raise Misfit(f"got {texts}; they may differ in axis {axis} only")
    sizes = [shape[axis] for shape in shapes]
    total: Size = "?"
    if all(isinstance(size, int) for size in sizes):
        total = sum(size for size in sizes if isinstance(size, int))
    return (*shapes[0][:axis], total, *shapes[0][axis + 1 :])


def _stack(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    axis = _axis(arguments.get("dim", 0), len(shapes[0]) + 1)
    shape = broadcast(shapes)
    return None if axis is None else (*shape[:axis], len(shapes), *shape[axis:])


def _transpose(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    shape = list(shapes[0])
    first = _axis(arguments.get("dim0"), len(shape))
    second = _axis(arguments.get("dim1"), len(shape))
    if first is None or second is None:
        return None
    shape[first], shape[second] = shape[second], shape[first]
    return tuple(shape)


def _permute(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    axes = _axes(arguments.get("dims"), len(shapes[0]))
    if axes is None or sorted(axes) != list(range(len(shapes[0]))):
        return None
    return tuple(shapes[0][axis] for axis in axes)


def _squeeze(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    shape = shapes[0]
    if "dim" not in arguments:
        return (
            None
            if any(isinstance(size, str) for size in shape)
            else tuple(size for size in shape if size != 1)
        )
    axes = _axes(arguments["dim"], len(shape))
    if axes is None:
        return None
    return tuple(size for axis, size in enumerate(shape) if axis not in axes or size != 1)


def _unsqueeze(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    axis = _axis(arguments.get("dim"), len(shapes[0]) + 1)
    return None if axis is None else (*shapes[0][:axis], 1, *shapes[0][axis:])


def _swapped(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    shape = shapes[0]
    return (*shape[:-2], shape[-1], shape[-2]) if len(shape) > 1 else shape


def _scalar(shapes: Sequence[Shape], arguments: Arguments) -> Shape | None:
    return () if arguments.get("reduction", "mean") in ("mean", "sum") else None


def _axis(value: object, length: int) -> int | None:
    if not isinstance(value, int) or not -length <= value < length:
        return None
    return value % length


def _axes(value: object, length: int) -> list[int] | None:
    values = value if isinstance(value, tuple) else (value,)
    axes = [_axis(item, length) for item in values]
    found = [axis for axis in axes if axis is not None]
    return found if len(found) == len(axes) else None


def _product(sizes: Sequence[Size]) -> Size:
    numbers = [size for size in sizes if isinstance(size, int)]
    if len(numbers) == len(sizes):
        return prod(numbers)
    return "?" if len(sizes) > 1 else sizes[0]


_ALIKE = (
    "relu sigmoid tanh softmax log_softmax gelu silu leaky_relu elu softplus normalize exp log "
    "sqrt square abs neg sin cos clamp dropout cumsum tril triu flip roll masked_fill contiguous "
    "clone detach float double to zeros_like ones_like randn_like rand_like layer_norm pos "
    "relu_ requires_grad_ type_as"
)
_ELEMENTWISE = (
    "add sub mul div pow maximum minimum where floordiv mod eq ne lt le gt ge and or xor lerp"
)
_REDUCING = "sum mean amax amin var std logsumexp argmax argmin prod"
_LOSSES = (
    "mse_loss cross_entropy l1_loss nll_loss binary_cross_entropy "
    "binary_cross_entropy_with_logits smooth_l1_loss huber_loss kl_div"
)
_RULES: dict[str, Rule] = {
    **dict.fromkeys(_ALIKE.split(" "), _same),
    **dict.fromkeys(_ELEMENTWISE.split(" "), _broadcast),
    **dict.fromkeys(_REDUCING.split(" "), _reduced),
    **dict.fromkeys(_LOSSES.split(" "), _scalar),
    "matmul": _matmul,
    "bmm": _matmul,
    "mm": _matmul,
    "flatten": _flatten,
    "reshape": _reshape,
    "view": _reshape,
    "cat": _cat,
    "stack": _stack,
    "transpose": _transpose,
    "permute": _permute,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "T": _swapped,
    "mT": _swapped,
    "t": _swapped,
}
