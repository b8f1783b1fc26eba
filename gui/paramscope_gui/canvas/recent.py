"""The last few results of a calculation, so that undo and redo find theirs again."""

from typing import Generic, TypeVar

Given = TypeVar("Given")
Result = TypeVar("Result")
MOST = 4


class Recent(Generic[Given, Result]):
    """Results by what they were worked out from, which only has to be comparable.

    >>> recent = Recent[list[int], int]()
    >>> recent.keep([1, 2], 3)
    >>> recent.find([1, 2]), recent.find([1, 3])
    (3, None)
    """

    def __init__(self) -> None:
        self._kept: list[tuple[Given, Result]] = []

    def find(self, given: Given) -> Result | None:
        """Return the result that was kept for an equal ``given``, if it is one of the last."""
        for place, (known, result) in enumerate(self._kept):
            if known == given:
                self._kept.append(self._kept.pop(place))
                return result
        return None

    def keep(self, given: Given, result: Result) -> None:
        """Keep a result; the one that was not asked for for longest goes."""
        self._kept.append((given, result))
        del self._kept[:-MOST]
