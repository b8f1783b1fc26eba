"""Where the stream of random numbers stands that all draws without a generator share."""

from typing import Any, Self

from gradcore.random import default_generator


class Stream:
    """One position of the stream."""

    def __init__(self, bits: Any, spare: Any) -> None:
        self._bits = bits
        self._spare = spare

    @classmethod
    def now(cls) -> Self:
        """Return where it stands now."""
        return cls(default_generator.bits().state, default_generator._spare)

    def restore(self) -> None:
        """Draw from here again."""
        default_generator.bits().state, default_generator._spare = self._bits, self._spare

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stream):
            return NotImplemented
        mine, its = self._bits["state"], other._bits["state"]
        same = bool(mine["pos"] == its["pos"] and (mine["key"] == its["key"]).all())
        return same and repr(self._spare) == repr(other._spare)

    __hash__ = None  # type: ignore[assignment]  # it is compared, never kept in a table
