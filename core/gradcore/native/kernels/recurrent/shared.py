"""What the recurrent kernels share: sizes, matrix products of a step, gradients of the weights.

The words that follow the operands are: length, batch, size of the state, whether time runs
backward, and the limit of a product. Arrays lie as gradcore's: (time, batch, gates * size).
"""

from typing import Any

from gradcore.native.entry import Builder, Operand, kernel
from gradcore.native.kernels.blas import block_limit, multiply
from gradcore.native.kernels.values import at, fill, part, real, transpose
from gradcore.native.memory import pointer


@part
def copy(x: Any, y: Any, n: int) -> None:
    """Copy ``n`` values."""
    for i in range(n):
        y[i] = x[i]


@part
def add_row(x: Any, bias: Any, y: Any, rows: int, width: int, is_there: bool) -> None:
    """Write ``x + bias`` for each row, or ``x`` where there is no bias."""
    for r in range(rows):
        source, target = at(x, r * width), at(y, r * width)
        if is_there:
            for j in range(width):
                target[j] = source[j] + bias[j]
        else:
            copy(source, target, width)


@part
def start_gradient(given: int, into: Any, n: int, f: Any) -> None:
    """Begin with what came back to a last state, or with zero."""
    if given:
        copy(pointer(given, f), into, n)
    else:
        fill(into, n, real(0.0, f))


@kernel()
def turn(a: Any, f: Any) -> None:
    """Write the transpose of a matrix: source, target, rows, columns."""
    transpose(pointer(a[0], f), a[3], pointer(a[1], f), a[2], a[2], a[3])


@kernel(blas=True)
def weight_gradient(a: Any, f: Any) -> None:
    """Multiply what came back to each product with the state before it.

    Operands: gradient of the products, first state, all states, weight's gradient, bias's or 0;
    then length, batch, size, whether time runs backward, limit, width of a product, and room.
    """
    g, first, states, into = pointer(a[0], f), pointer(a[1], f), pointer(a[2], f), pointer(a[3], f)
    length, batch, size, limit, width = a[5], a[6], a[7], a[9], a[10]
    rows, step = (length - 1) * batch, batch * width
    begin, rest, before = (length - 1, 0, batch * size) if a[8] else (0, step, 0)
    room = pointer(a[11], f)
    # Fewer rows than columns: BLAS is faster so, though the result has to be turned.
    start = at(g, begin * step)
    multiply(limit, 1, size, width, batch, first, size, start, width, 0, room, width)
    if rows:
        source = at(states, before)
        multiply(limit, 1, size, width, rows, source, size, at(g, rest), width, 1, room, width)
    transpose(room, width, into, size, size, width)
    if a[4]:
        bias = pointer(a[4], f)
        fill(bias, width, real(0.0, f))
        for r in range(length * batch):
            row = at(g, r * width)
            for j in range(width):
                bias[j] += row[j]


def sizes(gates: Operand, hidden: Operand, reverse: bool) -> tuple[int, ...]:
    """Return the words that follow the operands."""
    return (*gates.shape[:2], hidden.shape[-1], int(reverse), block_limit())


def are_known(*operands: Any) -> bool:
    """Tell whether these are arrays of one real dtype, of a sequence that is not empty."""
    arrays = [one for one in operands if isinstance(one, Operand)]
    kind = arrays[0].dtype
    return kind.kind == "f" and arrays[0].size > 0 and all(one.dtype == kind for one in arrays)


def given(out: Builder, operand: Operand | None) -> Any:
    """Return an operand that may be missing, as a word: 0 where it is."""
    return 0 if operand is None else out.contiguous(operand)


def turned(out: Builder, weight: Operand) -> Operand:
    """Return the transpose of a matrix."""
    made = out.empty(weight.shape[::-1], weight.dtype)
    out.call(turn, out.contiguous(weight), made, *weight.shape, dtype=weight.dtype)
    return made


def weight_gradients(
    out: Builder, needs: Any, into: Operand, hidden: Operand, states: Operand, words: Any
) -> tuple[Any, Any]:
    """Return the gradients of the weight and of the bias of ``h @ weight.T + bias``."""
    if not any(needs):
        return None, None
    width, size = into.shape[-1], hidden.shape[-1]
    weight = out.empty((width, size), into.dtype)
    bias = out.empty((width,), into.dtype) if needs[1] else 0
    room = out.empty((size, width), into.dtype)
    out.call(
        weight_gradient, into, out.contiguous(hidden), out.contiguous(states), weight, bias,
        *words, width, room, dtype=into.dtype,
    )  # fmt: skip
    return weight if needs[0] else None, bias if needs[1] else None
