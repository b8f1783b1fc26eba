"""Switches that scripts set before they train. None of them changes what is computed here."""

from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any

_STATE: dict[str, Any] = {"deterministic": True, "precision": "highest", "threads": 1}


def _itself(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def compile(model: Any = None, **options: Any) -> Any:
    """Return the model or function itself: it runs as it is, with the same results."""
    if model is None:
        return _itself
    return model


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Note the wish; every operation is deterministic in any case."""
    _STATE["deterministic"] = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """Tell what was wished for last."""
    return bool(_STATE["deterministic"])


def set_float32_matmul_precision(precision: str) -> None:
    """Note the wish; products of float32 are always computed in float32."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"{precision} is not one of 'highest', 'high', 'medium'")
    _STATE["precision"] = precision


def get_float32_matmul_precision() -> str:
    """Tell what was wished for last."""
    return str(_STATE["precision"])


def set_num_threads(num: int) -> None:
    """Note the wish; NumPy's own setting (before it is imported) decides about threads."""
    if num <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    _STATE["threads"] = num


def get_num_threads() -> int:
    """Tell what was wished for last."""
    return int(_STATE["threads"])


class autocast(ContextDecorator):
    """A block that may compute in lower precision; on this CPU it stays in full precision."""

    def __init__(
        self,
        device_type: str = "cpu",
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        self.device_type = device_type
        self.enabled = enabled

    def __enter__(self) -> "autocast":
        return self

    def __exit__(self, *exception: object) -> None:
        return None
