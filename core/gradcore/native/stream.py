"""Where the stream of random numbers stands that all draws without a generator share."""

from typing import Any

from gradcore.random import default_generator


class Stream:
    """One position of the stream; two are equal if nothing was drawn between them."""

    def __init__(self) -> None:
        self._place: Any = default_generator.place()

    def restore(self) -> None:
        """Draw from here again."""
        default_generator.return_to(self._place)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and bool(self._place == other._place)

    __hash__ = None  # type: ignore[assignment]  # it is compared, never kept in a table
