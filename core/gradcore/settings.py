"""What scripts ask for to go faster on other machines. None of it changes what is computed here."""

from contextlib import ContextDecorator
from typing import Any


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
