"""`torch.accelerator`: says that there is none, so that scripts choose the CPU."""

from typing import Any


def is_available() -> bool:
    """Return False: gradcore computes on the CPU."""
    return False


def current_accelerator(check_available: bool = False) -> Any:
    """Return None: there is no device but the CPU."""
    return None


def device_count() -> int:
    """Return 0."""
    return 0


def synchronize(device: Any = None) -> None:
    """Return at once: every operation has finished when it returns."""


def empty_cache() -> None:
    """Return at once: there is no cache."""
