"""Mixed precision as scripts switch it on: `torch.amp` and `torch.cuda.amp`.

There is no device here that gains from half precision, so both parts pass everything on, as
PyTorch's do where CUDA is absent.
"""

import warnings
from typing import Any

from gradcore.settings import autocast
from gradcore.tensor import Tensor

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


class GradScaler:
    """Scales the loss where gradients in half precision would vanish: here, never."""

    def __init__(
        self,
        device: Any = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if enabled:
            warnings.warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
                stacklevel=2,
            )

    def scale(self, outputs: Any) -> Any:
        """Return the loss as it is."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Leave the gradients as they are."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Have the optimizer make its step."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Keep the scale: there is none."""

    def get_scale(self) -> float:
        """Return 1."""
        return 1.0

    def is_enabled(self) -> bool:
        """Return False: nothing is scaled."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: there is no state."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take no state: there is none."""


def is_autocast_available(device_type: str) -> bool:
    """Tell whether `autocast` may be asked for on a device; on the CPU it may."""
    return device_type == "cpu"


def custom_fwd(fwd: Any = None, **_: Any) -> Any:
    """Return the `forward` of an autograd.Function as it is."""
    return (lambda later: later) if fwd is None else fwd


def custom_bwd(bwd: Any = None, **_: Any) -> Any:
    """Return the `backward` of an autograd.Function as it is."""
    return (lambda later: later) if bwd is None else bwd
