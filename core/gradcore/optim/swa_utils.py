"""Averages of a model's weights over a training: `torch.optim.swa_utils`."""

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

from gradcore.creation import tensor
from gradcore.graph import ask
from gradcore.modes import no_grad
from gradcore.nn.module import Module
from gradcore.nn.normalization import _BatchNorm
from gradcore.optim.lr_scheduler.base import LRScheduler
from gradcore.optim.optimizer import Optimizer
from gradcore.tensor import Tensor

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def get_ema_avg_fn(decay: float = 0.999) -> Callable[..., Any]:
    """Return a function that moves an average a little towards a value."""
    _check_decay(decay)
    return lambda average, value, count: decay * average + (1 - decay) * value


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[..., None]:
    """As ``get_ema_avg_fn``, for lists of tensors, in place."""
    one = get_ema_avg_fn(decay)
    return lambda averages, values, count: _move_all(one, averages, values, count)


def get_swa_avg_fn() -> Callable[..., Any]:
    """Return a function that makes an average that of one value more."""
    return lambda average, value, count: average + (value - average) / (count + 1)


def get_swa_multi_avg_fn() -> Callable[..., None]:
    """As ``get_swa_avg_fn``, for lists of tensors, in place."""
    one = get_swa_avg_fn()
    return lambda averages, values, count: _move_all(one, averages, values, count)


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1].")


def _move_all(one: Any, averages: Any, values: Any, count: Any) -> None:
    for average, value in zip(averages, values, strict=True):
        average.copy_(one(average, value, count))


class AveragedModel(Module):
    """A model with the mean of another's weights, at all the times it was told of them."""

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable[..., Any] | None = None,
        multi_avg_fn: Callable[..., None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def _tensors(self, model: Module) -> list[Tensor]:
        found: list[Tensor] = list(model.parameters())
        return found + list(model.buffers()) if self.use_buffers else found

    def update_parameters(self, model: Module) -> None:
        """Take the present weights of the model into the average."""
        with no_grad():
            own = self._tensors(self.module)
            others = [value.detach() for value in self._tensors(model)]
            if ask(_is_zero, self.n_averaged):
                for average, value in zip(own, others, strict=True):
                    average.copy_(value)
            elif self.multi_avg_fn is not None:
                self.multi_avg_fn([average.detach() for average in own], others, self.n_averaged)
            else:
                one = self.avg_fn or get_swa_avg_fn()
                _move_all(one, own, others, self.n_averaged)
            if not self.use_buffers:
                pairs = zip(self.module.buffers(), model.buffers(), strict=True)
                for mine, other in pairs:
                    mine.detach().copy_(other.detach())
            self.n_averaged += 1


def _is_zero(count: Any) -> bool:
    return bool(count == 0)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Measure the batch normalisations' statistics anew, over the batches of a loader."""
    layers = [item for item in model.modules() if isinstance(item, _BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    was_training = model.training
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    model.train()
    with no_grad():
        for batch in loader:
            model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Go from the present rate to `swa_lr` in `anneal_epochs` steps, then stay there."""

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must by one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        groups = optimizer.param_groups
        rates = list(swa_lr) if isinstance(swa_lr, (list, tuple)) else [swa_lr] * len(groups)
        for rate, group in zip(rates, groups, strict=True):
            group["swa_lr"] = rate
        self._strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        part = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * part)) / 2 if self._strategy == "cos" else part

    def get_lr(self) -> list[float]:
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(max(0, step - 1)), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            target = group["swa_lr"]
            start = target if before == 1 else (group["lr"] - before * target) / (1 - before)
            rates.append(target * now + start * (1 - now))
        return rates
