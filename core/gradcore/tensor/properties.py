"""What a tensor is: shape, dtype, place in memory."""

from typing import Any

from gradcore import device as devices
from gradcore import dtypes
from gradcore.dtypes import dtype
from gradcore.errors import (
    ArgumentError,
)
from gradcore.graph import (
    INFERENCE,
    TensorBase,
)
from gradcore.ops import shape
from gradcore.size import Size
from gradcore.tensor.storage import Storage, memory, row_strides


class Properties(TensorBase):
    """The part of ``Tensor`` that describes it."""

    __slots__ = ()

    # --- what it is

    @property
    def shape(self) -> Size:
        """The sizes of its dimensions."""
        return Size(self._a.shape)

    def size(self, dim: int | None = None) -> Any:
        """Return its shape, or the size of one dimension."""
        return Size(self._a.shape) if dim is None else self._a.shape[shape.axis(dim, self._a.ndim)]

    @property
    def dtype(self) -> dtype:
        """Its element type."""
        return dtypes.of(self._a)

    @property
    def device(self) -> devices.device:
        """Always the CPU."""
        return devices.CPU

    @property
    def ndim(self) -> int:
        """How many dimensions it has."""
        return self._a.ndim

    def dim(self) -> int:
        """Return how many dimensions it has."""
        return self._a.ndim

    ndimension = dim

    def numel(self) -> int:
        """Return how many values it has."""
        return self._a.size

    nelement = numel

    def element_size(self) -> int:
        """Return the bytes of one value."""
        return self._a.itemsize

    @property
    def itemsize(self) -> int:
        """The bytes of one value."""
        return self._a.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes of all values."""
        return self._a.nbytes

    def __len__(self) -> int:
        if self._a.ndim == 0:
            raise ArgumentError("len() of a 0-d tensor")
        size: int = self._a.shape[0]
        return size

    def stride(self, dim: int | None = None) -> Any:
        """Return how many values lie between neighbours of each dimension."""
        steps = tuple(step // self._a.itemsize for step in self._a.strides)
        if self._a.flags.c_contiguous:
            # NumPy leaves the stride of a dimension of size 1 open; torch does not.
            steps = row_strides(self._a.shape)
        return steps if dim is None else steps[dim]

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Tell whether it lies in memory row by row."""
        return self._a.flags.c_contiguous

    def data_ptr(self) -> int:
        """Return the address of its first value."""
        address: int = self._a.__array_interface__["data"][0]
        return address

    def storage_offset(self) -> int:
        """Return how many values into its memory block it begins."""
        base = memory(self._a)
        start: int = base.__array_interface__["data"][0]
        return (self.data_ptr() - start) // self._a.itemsize

    def untyped_storage(self) -> Storage:
        """Return its memory block."""
        return Storage(memory(self._a))

    storage = untyped_storage

    @property
    def is_cuda(self) -> bool:
        """Never."""
        return False

    is_cpu = property(lambda self: True, doc="Always.")
    is_mps = is_sparse = is_quantized = is_meta = is_nested = is_cuda
    layout = "torch.strided"

    def is_floating_point(self) -> bool:
        """Tell whether its values are floating-point numbers."""
        return self._a.dtype.kind == "f"

    def is_complex(self) -> bool:
        """Tell whether its values are complex."""
        return self._a.dtype.kind == "c"

    def is_signed(self) -> bool:
        """Tell whether its values can be negative."""
        return self._a.dtype.kind in "ifc"

    def is_inference(self) -> bool:
        """Tell whether it was made in inference mode."""
        return self._vc is INFERENCE

    def get_device(self) -> int:
        """Return -1: the CPU."""
        return -1

    def is_set_to(self, tensor: Any) -> bool:
        """Tell whether it is the same memory in the same shape."""
        same_place: bool = self.data_ptr() == tensor.data_ptr()
        same_layout: bool = (self._a.shape, self._a.strides) == (
            tensor._a.shape,
            tensor._a.strides,
        )
        return same_place and same_layout
