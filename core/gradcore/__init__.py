"""gradcore: tensors that remember where they came from, on NumPy, under PyTorch's names."""

from typing import TYPE_CHECKING, Any

from gradcore import autograd
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
from gradcore.device import device
from gradcore.dtypes import (
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
from gradcore.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from gradcore.ops.registry import FUNCTIONS
from gradcore.printing import set_printoptions
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
from gradcore.size import Size
from gradcore.tensor import Tensor

globals().update({name: f for name, f in FUNCTIONS.items() if name not in globals()})

if TYPE_CHECKING:
    # The operations, which come from the tables.
    def __getattr__(name: str) -> Any: ...

from gradcore.dtypes import ALIASES, bool_

globals().update(ALIASES)
globals()["bool"] = bool_

from gradcore import nn, optim  # noqa: F401, E402
