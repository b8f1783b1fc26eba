"""The tables in which Modules keep what is registered, and the count of all changes.

Replayed steps rely on finding every Module as it was; they ask the one count.
"""

import itertools
from typing import Any

from gradcore.counting import counting

edits = [0]
"""The number of the last change to an attribute of any Module; who has seen it needs not look."""
_next_edit = itertools.count(1).__next__


def count_edit() -> None:
    """Count one change more."""
    edits[0] = _next_edit()


@counting(dict, count_edit)
class Table(dict[str, Any]):
    """The Parameters, buffers or Modules of one Module by name."""

    __slots__ = ()
