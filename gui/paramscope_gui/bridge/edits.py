"""From the edits that a finding offers, by name, to the commands that make them."""

from collections.abc import Callable, Mapping

from paramscope.code.commands import Register, RegisterBuffer, Unregister
from paramscope.document.document import Command
from paramscope.rules.finding import OfferedEdit

ACTIONS: Mapping[str, Callable[[str, str], Command]] = {
    "register": Register,
    "register_buffer": RegisterBuffer,
    "unregister": Unregister,
}


def command_of(edit: OfferedEdit) -> Command | None:
    """Return the command for an edit; None for one that this window does not know."""
    make = ACTIONS.get(edit.action)
    return None if make is None else make(edit.class_name, edit.attribute)
