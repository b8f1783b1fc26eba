"""gradcore: tensors that remember where they came from, on NumPy, under PyTorch's names.

The operations come from the tables of ``gradcore.ops``; what stands here by name is the rest.
"""

from typing import Any

from gradcore import autograd, dtypes, nn, optim, rarer
from gradcore.creation import (
    arange,
    as_tensor,
    asarray,
    bernoulli,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    multinomial,
    normal,
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    scalar_tensor,
    tensor,
    zeros,
    zeros_like,
)
from gradcore.device import (
    device,
)
from gradcore.drawing import (
    binomial,
    poisson,
)
from gradcore.dtypes import (
    bfloat16,
    complex64,
    complex128,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    set_default_dtype,
    uint8,
)
from gradcore.later import later
from gradcore.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from gradcore.ops.registry import (
    FUNCTIONS,
)
from gradcore.printing import (
    set_printoptions,
)
from gradcore.random import (
    Generator,
    default_generator,
    fork_rng,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from gradcore.settings import (
    autocast,
)
from gradcore.size import (
    Size,
)
from gradcore.tensor import (
    Tensor,
)
from gradcore.various import (
    TYPED,
    are_deterministic_algorithms_enabled,
    blackman_window,
    broadcast_shapes,
    can_cast,
    channels_last,
    channels_last_3d,
    contiguous_format,
    detach,
    e,
    get_num_threads,
    hamming_window,
    hann_window,
    inf,
    is_complex,
    is_floating_point,
    is_inference,
    is_nonzero,
    is_tensor,
    memory_format,
    nan,
    newaxis,
    numel,
    pi,
    preserve_format,
    result_type,
    set_float32_matmul_precision,
    set_num_interop_threads,
    set_num_threads,
    strided,
    tril_indices,
    triu_indices,
    typename,
    use_deterministic_algorithms,
)

__version__ = "0.1.0"

globals().update({name: call for name, call in FUNCTIONS.items() if name not in globals()})
globals().update(rarer.NAMES)
globals().update(TYPED, **dtypes.ALIASES, bool=dtypes.bool_)

_PARTS = {
    "accelerator": "",
    "amp": "",
    "backends": "",
    "cuda": "",
    "distributed": "",
    "distributions": "",
    "fft": "",
    "func": "func vmap",
    "jit": "",
    "linalg": "",
    "overrides": "",
    "replay": "compile",
    "seldom": """
        empty_permuted frexp from_dlpack gradient histogramdd istft nonzero_static stft
    """,
    "serialization": "load save serialization",
    "special": "",
    "testing": "",
    "types": "",
    "utils": "",
    "version": "",
}
"""The names of each part that is imported when one of them is first asked for."""

_find, __dir__ = later(__name__, "torch", _PARTS)


def __getattr__(name: str) -> Any:
    """Load what is not needed by every script; say of other names whether PyTorch has them."""
    if name in _ALSO_LAYERS.split():
        return getattr(nn.functional, name)
    if name in _ABSENT:
        raise AttributeError(
            f"gradcore has no `torch.{name}`\n  {_ABSENT[name]}", name=name, obj=None
        )
    return _find(name)


_ALSO_LAYERS = """
    adaptive_avg_pool1d adaptive_max_pool1d affine_grid alpha_dropout avg_pool1d batch_norm
    bilinear celu celu_ channel_shuffle conv1d conv2d conv3d conv_transpose1d conv_transpose2d
    conv_transpose3d dropout feature_alpha_dropout group_norm hardshrink instance_norm layer_norm
    max_pool1d max_pool2d max_pool3d native_channel_shuffle pixel_shuffle pixel_unshuffle prelu
    rms_norm rrelu selu threshold
"""
"""Functions of `torch.nn.functional` that PyTorch also has as `torch.<name>`."""


_ABSENT = {
    "hub": "Load the model's own code and its weights yourself.",
    "multiprocessing": "gradcore trains in one process.",
    "onnx": "Run the script with PyTorch to export it.",
    "profiler": "Use Python's cProfile.",
    "sparse": "Tensors are dense here. Use to_dense() where it was made.",
}

__all__ = [
    "Generator",
    "Size",
    "Tensor",
    "arange",
    "are_deterministic_algorithms_enabled",
    "as_tensor",
    "asarray",
    "autocast",
    "autograd",
    "bfloat16",
    "bernoulli",
    "binomial",
    "blackman_window",
    "broadcast_shapes",
    "can_cast",
    "channels_last",
    "channels_last_3d",
    "compile",
    "complex128",
    "complex64",
    "contiguous_format",
    "default_generator",
    "detach",
    "device",
    "dtype",
    "e",
    "empty",
    "empty_like",
    "enable_grad",
    "eye",
    "finfo",
    "float16",
    "float32",
    "float64",
    "fork_rng",
    "from_numpy",
    "full",
    "full_like",
    "get_default_dtype",
    "get_num_threads",
    "get_rng_state",
    "hamming_window",
    "hann_window",
    "iinfo",
    "inf",
    "inference_mode",
    "initial_seed",
    "int16",
    "int32",
    "int64",
    "int8",
    "is_complex",
    "is_floating_point",
    "is_grad_enabled",
    "is_inference",
    "is_inference_mode_enabled",
    "is_nonzero",
    "is_tensor",
    "linalg",
    "linspace",
    "logspace",
    "manual_seed",
    "memory_format",
    "multinomial",
    "nan",
    "newaxis",
    "nn",
    "no_grad",
    "normal",
    "numel",
    "ones",
    "ones_like",
    "optim",
    "pi",
    "poisson",
    "preserve_format",
    "promote_types",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "result_type",
    "scalar_tensor",
    "seed",
    "set_default_dtype",
    "set_float32_matmul_precision",
    "set_grad_enabled",
    "set_num_interop_threads",
    "set_num_threads",
    "set_printoptions",
    "set_rng_state",
    "strided",
    "tensor",
    "tril_indices",
    "triu_indices",
    "typename",
    "uint8",
    "use_deterministic_algorithms",
    "zeros",
    "zeros_like",
]
