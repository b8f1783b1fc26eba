"""Fourier transforms under PyTorch's name ``torch.fft``."""

from typing import TYPE_CHECKING, Any

from gradcore.ops.fourier import FOURIER

__all__ = [*FOURIER]
globals().update(FOURIER)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
