"""What a rule reports: a finding with its cause, its place and the edits that mend it."""

import msgspec

ERROR, WARNING, HINT = "E", "W", "H"


class OfferedEdit(msgspec.Struct, frozen=True):
    """An edit that a finding offers, by name, so that the window can make it a command.

    ``action`` is the slug of the edit (``register``, ``register_buffer``); ``class_name``,
    ``attribute`` and ``line`` place it in the document.
    """

    label: str
    action: str
    class_name: str
    attribute: str
    line: int | None = None


class Finding(msgspec.Struct, frozen=True):
    """One verdict: the rule, the place, what and why in one sentence, and the edits offered.

    ``severity`` is `ERROR`, `WARNING` or `HINT`.
    """

    rule: str
    where: str
    severity: str
    message: str
    cause: str = ""
    line: int | None = None
    edits: tuple[OfferedEdit, ...] = ()
