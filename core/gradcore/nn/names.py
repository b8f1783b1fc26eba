"""How values are named in messages, in PyTorch's words."""

from gradcore.tensor import Tensor

_TENSOR_NAMES = {
    "torch.float32": "FloatTensor",
    "torch.float64": "DoubleTensor",
    "torch.float16": "HalfTensor",
    "torch.uint8": "ByteTensor",
    "torch.int8": "CharTensor",
    "torch.int16": "ShortTensor",
    "torch.int32": "IntTensor",
    "torch.int64": "LongTensor",
    "torch.bool": "BoolTensor",
    "torch.complex64": "ComplexFloatTensor",
    "torch.complex128": "ComplexDoubleTensor",
}


def typename(value: object) -> str:
    """Name a value's type: `torch.FloatTensor` for a tensor, `list`, `package.Class` else."""
    if isinstance(value, Tensor):
        name = _TENSOR_NAMES.get(str(value.dtype))
        return f"torch.{name}" if name else "torch.Tensor"
    kind = type(value)
    if kind.__module__ in ("builtins", ""):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
