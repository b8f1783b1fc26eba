"""The one error of the set-up: a sentence for the user, what is known, and the cure."""

from collections.abc import Iterable


class SetUpError(Exception):
    """The environment could not be made. Printed as it stands; the process ends with status 3.

    ``details`` are lines that say where or why, ``cure`` is what the user does next.
    """

    def __init__(self, what: str, details: Iterable[str] = (), cure: str = "") -> None:
        self.what = what
        self.details = tuple(details)
        self.cure = cure
        super().__init__(
            "\n".join([what, *(f"  {line}" for line in (*self.details, cure) if line)])
        )
