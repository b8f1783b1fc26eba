"""`torch.cuda`: says that there is none, so that scripts choose the CPU."""

from typing import Any

from gradcore.compat import give_name


def is_available() -> bool:
    """Return False: gradcore computes on the CPU."""
    return False


def is_bf16_supported() -> bool:
    """Return False."""
    return False


def is_initialized() -> bool:
    """Return False."""
    return False


def device_count() -> int:
    """Return 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Accept a seed for devices that are not there, as torch without CUDA does."""


def manual_seed_all(seed: int) -> None:
    """Accept a seed for devices that are not there, as torch without CUDA does."""


def empty_cache() -> None:
    """Return at once: there is no cache, as in torch without CUDA."""


def synchronize(device: Any = None) -> None:
    """Return at once: every operation has finished when it returns."""


def memory_allocated(device: Any = None) -> int:
    """Return 0."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """Return 0."""
    return 0


# Its parts are found by `compat`, which only needs to be asked.
__path__: list[str] = []
give_name(globals(), "torch.cuda")
