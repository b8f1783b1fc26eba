"""Random numbers: PyTorch's CPU generator, so that one seed gives the same numbers as there.

The generator is MT19937 (as NumPy's ``MT19937``, seeded the original way). What is drawn from its
32-bit words, and in which order, follows PyTorch and is tested against it.
"""

import ctypes
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from gradcore import dtypes, graph
from gradcore.device import CPU, device
from gradcore.dtypes import Array
from gradcore.errors import ArgumentError, ShapeError, UnsupportedDtypeError, ValueRangeError
from gradcore.graph import TensorBase, wrap

Place = tuple[bytes, float | None]

_STATE_BYTES = 624 * 4 + 4
"""NumPy's state of an MT19937: 624 words, and how many of them are used up."""


class Generator:
    """A stream of random numbers."""

    def __init__(self, device: Any = "cpu") -> None:
        self._seed = 67280421310721
        self._bits: Any = None
        self._spare: float | None = None
        self._reset()

    def _reset(self) -> None:
        # The stream itself is made when first drawn from: importing numpy.random costs time.
        self._bits = None
        self._spare = None

    def bits(self) -> Any:
        """Return NumPy's bit generator, made now if there is none."""
        if self._bits is None:
            # Seeding of the original MT19937: torch uses the low 32 bits of the seed.
            self._bits = np.random.MT19937()
            self._bits._legacy_seeding(self._seed & 0xFFFFFFFF)
        return self._bits

    def manual_seed(self, seed: int) -> "Generator":
        """Start the stream anew from ``seed``."""
        self._seed = int(seed) & (2**64 - 1)
        self._reset()
        return self

    def seed(self) -> int:
        """Start the stream anew from a seed that nobody knows, and return that."""
        self._seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
        self._reset()
        return self._seed

    @property
    def device(self) -> device:
        """Always the CPU."""
        return CPU

    def initial_seed(self) -> int:
        """Return the seed the stream was started from."""
        return self._seed

    def words(self, n: int) -> Array:
        """Return the next ``n`` 32-bit words."""
        return self.bits().random_raw(n).astype(np.uint32)  # type: ignore[no-any-return] # NumPy

    def uniform(self, n: int, kind: Any) -> Array:
        """Return ``n`` values in [0, 1)."""
        if kind == np.float64:
            words = self.words(2 * n).astype(np.uint64)
            both = (words[0::2] << np.uint64(32)) | words[1::2]
            return (both & np.uint64(2**53 - 1)) * (1.0 / 2**53)
        if kind == np.float16:
            return ((self.words(n) & np.uint32(2**11 - 1)) * np.float32(1 / 2**11)).astype(kind)
        return (self.words(n) & np.uint32(2**24 - 1)).astype(np.float32) * np.float32(1.0 / 2**24)

    def normal(self, n: int, kind: Any) -> Array:
        """Return ``n`` values of the standard normal distribution."""
        if n >= 16:
            return self._normal_blocks(n, kind)
        return np.array([self._normal_one() for _ in range(n)], np.float64).astype(kind)

    def normal_singly(self, n: int, kind: Any) -> Array:
        """Return ``n`` values as PyTorch fills what does not lie row by row: not in blocks."""
        first = [self._normal_one()] if n and self._spare is not None else []
        pairs = self.uniform(2 * ((n - len(first) + 1) // 2), np.float64)
        radius, angle = np.sqrt(-2.0 * np.log1p(-pairs[1::2])), 2.0 * math.pi * pairs[0::2]
        both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).reshape(-1)
        drawn = np.concatenate([first, both])
        if len(drawn) > n:
            self._spare = float(drawn[-1])
        return drawn[:n].astype(kind)

    def _normal_one(self) -> float:
        if self._spare is not None:
            spare, self._spare = self._spare, None
            return spare
        first, second = self.uniform(2, np.float64).tolist()
        radius = math.sqrt(-2.0 * math.log1p(-second))
        angle = 2.0 * math.pi * first
        self._spare = radius * math.sin(angle)
        return radius * math.cos(angle)

    def _normal_blocks(self, n: int, kind: Any) -> Array:
        """Box-Muller on blocks of 16; a rest redoes the last 16 values with new numbers."""
        data = self.uniform(n, kind)
        whole = n // 16 * 16
        data[:whole] = _box_muller(data[:whole])
        if n % 16:
            data[n - 16 :] = _box_muller(self.uniform(16, kind))
        return data

    def get_state(self) -> Any:
        """Return the state of the stream as a tensor of bytes."""
        state = self.bits().state["state"]
        head = np.array([self._seed], np.uint64).tobytes()
        spare = math.nan if self._spare is None else self._spare
        tail = np.array([spare], np.float64).tobytes()
        body = state["key"].astype(np.uint32).tobytes()
        position = np.array([state["pos"]], np.int64).tobytes()
        return wrap(np.frombuffer(head + tail + position + body, np.uint8).copy())

    def set_state(self, new_state: Any) -> "Generator":
        """Go back to a state that ``get_state`` returned."""
        raw = new_state._a.tobytes()
        if len(raw) != 24 + 624 * 4:
            raise ValueRangeError(
                f"RNG state is wrong size: {len(raw)} bytes",
                "",
                "Pass what get_rng_state() or Generator.get_state() returned.",
            )
        self._seed = int(np.frombuffer(raw[:8], np.uint64)[0])
        spare = float(np.frombuffer(raw[8:16], np.float64)[0])
        self._reset()
        self._spare = None if math.isnan(spare) else spare
        whole = self.bits().state
        whole["state"] = {
            "key": np.frombuffer(raw[24:], np.uint32).astype(np.uint64).astype(np.uint32),
            "pos": int(np.frombuffer(raw[16:24], np.int64)[0]),
        }
        self.bits().state = whole
        return self

    def place(self) -> Place:
        """Return where the stream is, for `return_to`; a hundred times faster than `get_state`."""
        return ctypes.string_at(self.bits().ctypes.state_address, _STATE_BYTES), self._spare

    def return_to(self, place: Place) -> None:
        """Go back to where `place` was."""
        state, self._spare = place
        ctypes.memmove(self.bits().ctypes.state_address, state, _STATE_BYTES)

    def clone_state(self) -> "Generator":
        """Return a new generator at the same place of the stream."""
        return Generator().set_state(self.get_state())


def _box_muller(u: Array) -> Array:
    blocks = u.reshape(-1, 16)
    one = u.dtype.type(1)
    first = one - blocks[:, :8]
    angle = u.dtype.type(2 * math.pi) * blocks[:, 8:]
    radius = np.sqrt(u.dtype.type(-2) * np.log(first))
    out = np.empty_like(blocks)
    out[:, :8] = radius * np.cos(angle)
    out[:, 8:] = radius * np.sin(angle)
    return out.reshape(-1)


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Start the stream of random numbers anew from ``seed``."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the stream anew from a seed that nobody knows, and return that."""
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed the stream was started from."""
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """Return the state of the stream."""
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Go back to a state that ``get_rng_state`` returned."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, **more: Any) -> Iterator[None]:
    """Leave the stream, after the ``with`` block, where it was before."""
    if not enabled:
        yield
        return
    before = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(before)


def source(generator: Generator | None) -> Generator:
    """Return ``generator``, or the one for all where it is None."""
    return default_generator if generator is None else generator


def shape_of(size: Sequence[Any]) -> tuple[int, ...]:
    """Return the shape from ``f(2, 3)`` or ``f((2, 3))``."""
    if (
        len(size) == 1
        and not isinstance(size[0], (int, np.integer))
        and not (isinstance(size[0], TensorBase))
    ):
        if isinstance(size[0], (float, str)):
            raise ArgumentError(
                f"argument 'size' (position 1) must be tuple of ints, not {type(size[0]).__name__}"
            )
        size = tuple(size[0])
    shape = tuple(int(n) for n in size)
    if any(n < 0 for n in shape):
        raise ShapeError(
            f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}",
            "",
            "Sizes are 0 or more.",
        )
    return shape


def _not_for(name: str, kind: Any) -> UnsupportedDtypeError:
    given = dtypes.of(np.dtype(kind))
    return UnsupportedDtypeError(
        f"\"{name}\" not implemented for '{str(given).removeprefix('torch.').capitalize()}'",
        "Only floating-point numbers are drawn like this.",
        "Use randint(), or convert what was drawn.",
        dtypes=(given,),
    )


class Laid(tuple[int, ...]):
    """The shape of an array that does not lie row by row; random values follow its memory."""

    order: tuple[int, ...]
    """The axes, from the one with the widest steps to that with the smallest."""

    @property
    def in_memory(self) -> tuple[int, ...]:
        """The lengths of the axes in that order."""
        return tuple(self[axis] for axis in self.order)

    @property
    def back(self) -> tuple[int, ...]:
        """Where each axis stands in that order."""
        return tuple(map(self.order.index, range(len(self))))

    def shaped(self, values: Array) -> Array:
        """Return values in the order of memory as an array of this shape."""
        return values.reshape(self.in_memory).transpose(self.back)


def layout_of(a: Array) -> tuple[int, ...]:
    """Return the shape that values drawn for an array have; it knows how the array lies."""
    shape: tuple[int, ...] = a.shape
    if a.flags.c_contiguous:
        return shape
    order: list[int] = []
    for axis in range(a.ndim):
        # An axis goes before those of smaller steps; one without steps stays where it is.
        place = len(order)
        for i in range(len(order) - 1, -1, -1):
            if a.strides[axis] and a.strides[order[i]] and a.shape[axis] > 1 < a.shape[order[i]]:
                if a.strides[axis] <= a.strides[order[i]]:
                    break
                place = i
        order.insert(place, axis)
    laid = Laid(shape)
    laid.order = tuple(order)
    return laid


def layout_like(a: Array) -> tuple[int, ...]:
    """Return the shape of values for a new array that lies as ``a`` does, but without gaps."""
    laid = layout_of(a)
    is_turned = isinstance(laid, Laid) and laid.order != tuple(range(len(laid)))
    return laid if is_turned else tuple(laid)


def _shaped(values: Array, shape: tuple[int, ...]) -> Array:
    return shape.shaped(values) if isinstance(shape, Laid) else values.reshape(shape)


def uniform_array(shape: tuple[int, ...], kind: Any, generator: Generator | None) -> Array:
    """Return an array of values in [0, 1)."""
    if np.dtype(kind).kind not in "fc":
        raise _not_for("check_uniform_bounds", kind)
    return _shaped(source(generator).uniform(math.prod(shape), kind), shape)


def exponential_array(shape: tuple[int, ...], generator: Generator | None) -> Array:
    """Return an array of doubles of the exponential distribution with mean 1."""
    return -np.log1p(-uniform_array(shape, np.float64, generator))


def normal_array(shape: tuple[int, ...], kind: Any, generator: Generator | None) -> Array:
    """Return an array of standard normal values."""
    if np.dtype(kind).kind not in "fc":
        raise _not_for("normal_kernel_cpu", kind)
    if np.dtype(kind).kind == "c":
        real = dtypes.of(np.dtype(kind)).to_real().numpy
        pairs = normal_array((*shape, 2), real, generator) * real.type(math.sqrt(0.5))
        joined: Array = (pairs[..., 0] + 1j * pairs[..., 1]).astype(kind)
        return joined
    if isinstance(shape, Laid):
        return shape.shaped(source(generator).normal_singly(math.prod(shape), kind))
    return source(generator).normal(math.prod(shape), kind).reshape(shape)


def integers_array(
    low: int, high: int, shape: tuple[int, ...], generator: Generator | None
) -> Array:
    """Return an int64 array of values in [low, high)."""
    if high <= low:
        raise ShapeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}",
            "",
            "Give low < high.",
        )
    span = high - low
    n = math.prod(shape)
    stream = source(generator)
    if span >= 2**32:
        words = stream.words(2 * n).astype(np.uint64)
        raw = (words[0::2] << np.uint64(32)) | words[1::2]
    else:
        raw = stream.words(n).astype(np.uint64)
    return _shaped((raw % np.uint64(span)).astype(np.int64) + low, shape)


def permutation(n: int, generator: Generator | None) -> Array:
    """Return the numbers 0 to n-1 in random order.

    Torch swaps each place with a random one from it on, one after the other. Which number is
    where by then is found for all places at once: a place last swapped into has what stood at the
    place it was swapped with, when that one's turn came.
    """
    places = np.arange(n)
    other = places.copy()
    other[:-1] += source(generator).words(max(n - 1, 0)) % np.arange(n, 1, -1, dtype=np.uint32)
    # Which place brought the number that stands at a place when its turn comes; followed back.
    origin = places.copy()
    moved = np.flatnonzero(other != places)
    origin[other[moved]] = moved
    further = origin[origin]
    while (further != origin).any():
        origin, further = further, further[further]
    # By the place swapped with, and in order of time: the one before, if any, was there last.
    turns = np.sort(other * n + places)
    to, at = np.divmod(turns, max(n, 1))
    again = np.flatnonzero(to[1:] == to[:-1])
    out = other
    out[at[again + 1]] = origin[at[again]]
    return out


def draw(function: Callable[..., Array], *args: Any, generator: Generator | None) -> Array:
    """Return ``function(*args, generator)``, an array of random values, and tell the journal."""
    values = function(*args, generator)
    if graph.journal is not None:
        graph.journal.drawn(function, args, generator, values)
    return values


def tell_made(name: str, t: Any) -> Any:
    """Tell the recorder of a tensor that a factory made, and return it."""
    if graph.recorder is not None:
        graph.tell(name, (), {}, (t,))
    return t
