"""`torch.save` and `torch.load`, in PyTorch's own file format.

A file is a zip archive: `data.pkl` says what was saved, `data/<key>` hold the values as plain
bytes. What gradcore writes PyTorch reads, and the reverse. As there, a file is read with
`weights_only=True` unless the script says otherwise: tensors, containers and numbers are
restored, and nothing in the file is run.
"""

import importlib
import io
import math
import os
import pickle
import uuid
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Literal

import numpy as np

from gradcore import dtypes
from gradcore.compat import PARTS
from gradcore.device import device
from gradcore.dtypes import Array, dtype
from gradcore.graph import wrap
from gradcore.nn.parameter import Buffer, Parameter
from gradcore.nn.state import StateDict
from gradcore.size import Size
from gradcore.tensor import Tensor
from gradcore.tensor.storage import memory

_STORAGES = {
    "FloatStorage": dtypes.float32,
    "DoubleStorage": dtypes.float64,
    "HalfStorage": dtypes.float16,
    "LongStorage": dtypes.int64,
    "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16,
    "CharStorage": dtypes.int8,
    "ByteStorage": dtypes.uint8,
    "BoolStorage": dtypes.bool_,
    "ComplexFloatStorage": dtypes.complex64,
    "ComplexDoubleStorage": dtypes.complex128,
}
_STORAGE_OF = {kind: name for name, kind in _STORAGES.items()}
_SAFE: dict[str, Any] = {}


class _Global:
    """A name in a pickle for something that lives in PyTorch only."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __call__(self) -> None:
        """Be callable, as pickle asks of what it notes as a call."""


_REBUILD_TENSOR = _Global("torch._utils", "_rebuild_tensor_v2")
_REBUILD_PARAMETER = _Global("torch._utils", "_rebuild_parameter")
_REBUILD_WITH_STATE = _Global("torch._utils", "_rebuild_parameter_with_state")
_REBUILD_SUBCLASS = _Global("torch._tensor", "_rebuild_from_type_v2")
_STORAGE_TYPES = {kind: _Global("torch", name) for kind, name in _STORAGE_OF.items()}


class _Block:
    """One block of memory that is to be written, and the dtype it was first met with."""

    __slots__ = ("key", "values", "kind")

    def __init__(self, key: str, values: Array, kind: dtype) -> None:
        self.key = key
        self.values = values
        self.kind = kind


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write an object, the tensors in it included, to a file."""
    buffer = io.BytesIO()
    writer = _Writer(buffer)
    writer.dump(obj)
    name = "archive"
    if isinstance(f, (str, os.PathLike)):
        name = os.path.splitext(os.path.basename(os.fspath(f)))[0] or name
        folder = os.path.dirname(os.fspath(f))
        if folder and not os.path.isdir(folder):
            raise RuntimeError(
                f"Parent directory {folder} does not exist.\n  Make it first: os.makedirs(...)."
            )
    with zipfile.ZipFile(f, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{name}/data.pkl", buffer.getvalue())
        archive.writestr(f"{name}/byteorder", "little")
        for block in writer.blocks.values():
            values = block.values.astype(block.values.dtype.newbyteorder("<"), copy=False)
            archive.writestr(f"{name}/data/{block.key}", values.tobytes())
        archive.writestr(f"{name}/version", "3\n")
        archive.writestr(f"{name}/.data/serialization_id", str(uuid.uuid4().int))


class _Writer(pickle._Pickler):
    """A pickler that writes tensors as PyTorch does and gradcore's names as PyTorch's."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, 2)
        self.blocks: dict[tuple[int, int], _Block] = {}

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, _Block):
            return None
        count = obj.values.size
        return ("storage", _STORAGE_TYPES[obj.kind], obj.key, "cpu", count)

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor):
            return self._reduced(obj)
        if isinstance(obj, (_Global, dtype)):
            return ""
        if isinstance(obj, StateDict):
            return OrderedDict, (), obj.__dict__ or None, None, iter(obj.items())
        if isinstance(obj, Size):
            return Size, (tuple(obj),)
        if isinstance(obj, device):
            return device, (str(obj),)
        return NotImplemented

    def save_global(self, obj: Any, name: str | None = None) -> None:
        if isinstance(obj, _Global):
            found: tuple[str, str] | None = (obj.module, obj.name)
        elif isinstance(obj, dtype):
            found = ("torch", str(obj).removeprefix("torch."))
        else:
            found = _public_name(obj)
        if found is None:
            super().save_global(obj, name)  # type: ignore[misc]  # typeshed lacks it
            return
        writer: Any = self
        writer.write(pickle.GLOBAL + "\n".join((*found, "")).encode())
        writer.memoize(obj)

    def _reduced(self, t: Tensor) -> Any:
        block, offset = self._block_of(t)
        plain: Any = (block, offset, tuple(t._a.shape), t.stride(), t.requires_grad, OrderedDict())
        if type(t) is Parameter:
            data = wrap(t._a)
            if t.__dict__:
                return _REBUILD_WITH_STATE, (data, t._rg, OrderedDict(), dict(t.__dict__))
            return _REBUILD_PARAMETER, (data, t._rg, OrderedDict())
        if type(t) is Tensor and not t.__dict__:
            return _REBUILD_TENSOR, plain
        kind, state = type(t), dict(t.__dict__)
        if kind is Buffer:
            # PyTorch has no such class, but a plain tensor with a mark.
            kind, state = Tensor, {**state, "_is_buffer": True}
        return _REBUILD_SUBCLASS, (_REBUILD_TENSOR, kind, plain, state)

    def _block_of(self, t: Tensor) -> tuple[_Block, int]:
        """Return the memory block of a tensor, and how many values into it the tensor begins."""
        base = memory(t._a)
        order = np.argsort([-step for step in base.strides], kind="stable")
        flat = base.transpose(order)
        if base.dtype != t._a.dtype or not flat.flags.c_contiguous:
            base = flat = np.ascontiguousarray(t._a)
            if flat.shape != t._a.shape or t._a.strides != flat.strides:
                t = wrap(flat)
            t._a = flat
        key = (base.__array_interface__["data"][0], base.nbytes)
        block = self.blocks.get(key)
        if block is None or block.kind.numpy != t._a.dtype:
            kind = dtypes.of(t._a)
            block = _Block(str(len(self.blocks)), flat.reshape(-1), kind)
            self.blocks[key] = block
        return block, (t.data_ptr() - key[0]) // t._a.itemsize if t._a.size else 0


def _public_name(obj: Any) -> tuple[str, str] | None:
    """Return PyTorch's module and name of something of gradcore's, None if it is not."""
    home: str = getattr(obj, "__module__", None) or ""
    name = getattr(obj, "__qualname__", "")
    if home == "torch":
        return "torch", name
    if not home.startswith("gradcore"):
        return None
    for place in ("torch.nn", "torch.nn.functional", "torch.optim", "torch"):
        if getattr(importlib.import_module(PARTS[place]), name, None) is obj:
            return place, name
    return None


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read what `save` (or PyTorch) wrote.

    With `weights_only=False` the file may name any class and run its code: only for files you
    trust. Values of type bfloat16, which NumPy lacks, are read as float32.
    """
    opened = open(f, "rb") if isinstance(f, (str, os.PathLike)) else f  # noqa: SIM115 - closed below
    try:
        if not zipfile.is_zipfile(opened):
            raise RuntimeError(
                "This file is no archive that torch.save wrote (or it is older than PyTorch 1.6).\n"
                "  Write it again with a newer PyTorch."
            )
        opened.seek(0)
        with zipfile.ZipFile(opened) as archive:
            return _read(archive, map_location, weights_only is not False)
    finally:
        if opened is not f:
            opened.close()


def _read(archive: zipfile.ZipFile, map_location: Any, weights_only: bool) -> Any:
    names = [name for name in archive.namelist() if name.endswith("data.pkl")]
    if not names:
        raise RuntimeError(
            "PytorchStreamReader failed locating file data.pkl: file not found\n"
            "  The archive was not written by torch.save."
        )
    prefix = names[0].removesuffix("data.pkl")
    reader = _Reader(archive, prefix, map_location, weights_only)
    try:
        return reader.load()
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(
            f"Weights only load failed. {error}\n  If you trust the file, read it with "
            "weights_only=False, or name the class in torch.serialization.add_safe_globals([...])."
        ) from None


class _Reader(pickle.Unpickler):
    """An unpickler that knows PyTorch's names, and no others where only weights are wanted."""

    def __init__(
        self, archive: zipfile.ZipFile, prefix: str, map_location: Any, weights_only: bool
    ) -> None:
        super().__init__(io.BytesIO(archive.read(f"{prefix}data.pkl")))
        self._archive = archive
        self._prefix = prefix
        self._map_location = map_location
        self._weights_only = weights_only
        self._blocks: dict[str, Array] = {}
        noted = f"{prefix}byteorder" in archive.namelist()
        big = noted and archive.read(f"{prefix}byteorder") == b"big"
        self._order: Literal[">", "<"] = ">" if big else "<"

    def find_class(self, module: str, name: str) -> Any:
        found = _KNOWN.get(f"{module}.{name}", _SAFE.get(f"{module}.{name}"))
        if found is not None:
            return found
        if module == "torch" and name in dtypes.ALL:
            return dtypes.ALL[name]
        if module == "torch" and (name in _STORAGES or name == "BFloat16Storage"):
            return name
        if self._weights_only:
            raise pickle.UnpicklingError(
                f"Unsupported global: GLOBAL {module}.{name} was not an allowed global by default."
            )
        if module.partition(".")[0] == "torch":
            if module not in PARTS:
                raise AttributeError(f"gradcore has no '{module}.{name}', which the file names")
            return getattr(importlib.import_module(PARTS[module]), name)
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Array:
        _, kind, key, location, _ = pid
        self._check_place(location)
        if key not in self._blocks:
            raw = self._archive.read(f"{self._prefix}data/{key}")
            if kind == "BFloat16Storage":
                # The upper half of a float32.
                words = np.frombuffer(raw, np.dtype("u2").newbyteorder(self._order))
                self._blocks[key] = (words.astype(np.uint32) << 16).view(np.float32)
            else:
                own = _STORAGES[kind].numpy
                read = np.frombuffer(raw, own.newbyteorder(self._order))
                self._blocks[key] = read.astype(own)
        return self._blocks[key]

    def _check_place(self, location: str) -> None:
        wanted = self._map_location
        if isinstance(wanted, dict):
            wanted = wanted.get(location)
        if location.startswith("cuda") and (wanted is None or str(wanted).startswith("cuda")):
            raise RuntimeError(
                "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() "
                "is False. If you are running on a CPU-only machine, please use torch.load with "
                "map_location=torch.device('cpu') to map your storages to the CPU."
            )


def _rebuild_tensor(
    values: Array, offset: int, size: Any, stride: Any, requires_grad: bool = False, *_: Any
) -> Tensor:
    """Return a tensor that looks at a block of memory in its own steps."""
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if math.prod(size) and not (offset >= 0 and min(stride, default=0) >= 0 and last < values.size):
        raise pickle.UnpicklingError(
            f"The file names a tensor of {tuple(size)} beyond its {values.size} values."
        )
    steps = tuple(step * values.itemsize for step in stride)
    start = values[offset:] if math.prod(size) else values[:0]
    found = np.lib.stride_tricks.as_strided(start, tuple(size), steps)
    made: Tensor = wrap(found)
    return made.requires_grad_() if requires_grad else made


def _rebuild_parameter(data: Tensor, requires_grad: bool, hooks: Any, state: Any = None) -> Any:
    made = Parameter(data, requires_grad)
    made.__dict__.update(state or {})
    return made


def _rebuild_subclass(rebuild: Callable[..., Any], kind: Any, args: Any, state: Any) -> Any:
    made = rebuild(*args)
    if state.pop("_is_buffer", False):
        kind = Buffer
    if kind is not Tensor:
        made = kind._make_subclass(made.detach(), made.requires_grad)
    made.__dict__.update(state)
    return made


_KNOWN: dict[str, Any] = {
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": _rebuild_parameter,
    "torch._tensor._rebuild_from_type_v2": _rebuild_subclass,
    "torch.Tensor": Tensor,
    "torch.nn.parameter.Parameter": Parameter,
    "torch.nn.Parameter": Parameter,
    "torch.Size": Size,
    "torch.device": device,
    "collections.OrderedDict": OrderedDict,
    "collections.Counter": Counter,
    "builtins.set": set,
    "builtins.complex": complex,
    "builtins.bytearray": bytearray,
    "__builtin__.set": set,
    "__builtin__.complex": complex,
    "__builtin__.bytearray": bytearray,
}
"""What a file may name in any case: nothing of it can do more than hold values."""


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Allow these classes and functions in files read with `weights_only=True`."""
    _SAFE.update({_path(item): item for item in safe_globals})


def get_safe_globals() -> list[Any]:
    """Return what `add_safe_globals` has allowed."""
    return list(_SAFE.values())


def clear_safe_globals() -> None:
    """Allow nothing but tensors and containers again."""
    _SAFE.clear()


@contextmanager
def safe_globals(allowed: list[Any]) -> Iterator[None]:
    """Allow classes and functions within a `with` block."""
    before = dict(_SAFE)
    add_safe_globals(allowed)
    try:
        yield
    finally:
        _SAFE.clear()
        _SAFE.update(before)


def _path(item: Any) -> str:
    return f"{item.__module__}.{item.__qualname__}"
