"""What is known of code that raised: the error, the frames it went through, the objects at hand.

The engine makes one `Failure` when building or a step raises, the rules read it once, and it is
let go: its frames hold the user's locals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paramscope.census.walk import Walk
from paramscope.code.graph import Span


@dataclass(slots=True)
class FailedFrame:
    """One call that was under way when the error was raised.

    ``is_users`` tells the user's own code from a library's. ``owner`` is the Module whose
    method it is, None for any other function. ``names`` are its local names.
    """

    function: str
    filename: str
    span: Span
    is_users: bool
    is_document: bool
    owner: Any
    names: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OperationCall:
    """A call of an operation: its name, where it stands, and the path of its Module."""

    operation: str
    span: Span | None
    module: str | None = None
    tensor: Any = None


@dataclass(slots=True)
class Root:
    """A Module that was at hand, with what it holds, and its path as far as it is known.

    ``is_exact`` is False where it was being put into a container, so that its index is open.
    """

    path: str
    is_exact: bool
    walk: Walk


@dataclass(slots=True)
class Failure:
    """An error of the user's code, as evidence.

    ``before`` is what the model held when the failed step began, ``read`` the ids of the
    tensors that the step has read, ``outside`` the tensors that the document's globals hold by
    name. ``gradient_of`` is the operation whose gradient could not be calculated, from an
    earlier step if ``is_older``; ``written_by`` the write that changed what it needed.
    ``earlier_backward`` is the place of a backward() of the same step that went well.
    """

    kind: str
    message: str
    during: str
    frames: Sequence[FailedFrame] = ()
    source: str = ""
    roots: Sequence[Root] = ()
    before: Walk = field(default_factory=Walk)
    is_traced: bool = False
    read: frozenset[int] = frozenset()
    outside: Mapping[str, Any] = field(default_factory=dict)
    gradient_of: OperationCall | None = None
    is_older: bool = False
    written_by: OperationCall | None = None
    earlier_backward: OperationCall | None = None

    @property
    def user_frames(self) -> list[FailedFrame]:
        """The frames of the document itself, the innermost last."""
        return [frame for frame in self.frames if frame.is_document]
