"""Which kernel moves the tensors of which optimizer, and what it has to be given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradcore.native.entry import Kernel
from gradcore.native.kernels.optimizers.adam import (
    adam,
    adam_settings,
    adamax,
    nadam,
    nadam_settings,
    radam,
)
from gradcore.native.kernels.optimizers.plain import (
    adadelta,
    adadelta_settings,
    adagrad,
    adagrad_settings,
    rmsprop,
    rmsprop_settings,
    sgd,
    sgd_settings,
)


@dataclass(frozen=True, slots=True)
class Stepper:
    """One optimizer's kernel.

    ``state`` names what the optimizer keeps for each tensor, in the order of the kernel's words,
    after the count of steps. ``counts``: it keeps that count. ``settings`` makes of a group the
    numbers for the kernel; it is asked again when the group has changed. None: the group asks for
    something that stays with NumPy.
    """

    kernel: Kernel
    settings: Callable[[dict[str, Any]], list[float] | None]
    state: tuple[str, ...]
    counts: bool = True


_MEANS = ("exp_avg", "exp_avg_sq")
OPTIMIZERS: dict[str, Stepper] = {
    "SGD": Stepper(sgd, sgd_settings, ("momentum_buffer",), counts=False),
    "Adam": Stepper(adam, adam_settings, (*_MEANS, "max_exp_avg_sq")),
    "AdamW": Stepper(adam, adam_settings, (*_MEANS, "max_exp_avg_sq")),
    "Adamax": Stepper(adamax, adam_settings, ("exp_avg", "exp_inf")),
    "NAdam": Stepper(nadam, nadam_settings, ("mu_product", *_MEANS)),
    "RAdam": Stepper(radam, adam_settings, _MEANS),
    "RMSprop": Stepper(rmsprop, rmsprop_settings, ("square_avg", "momentum_buffer", "grad_avg")),
    "Adagrad": Stepper(adagrad, adagrad_settings, ("sum",)),
    "Adadelta": Stepper(adadelta, adadelta_settings, ("square_avg", "acc_delta")),
}
"""The native form of each optimizer, by the name of its class."""
