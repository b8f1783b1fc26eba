"""From a finding to the edits that may mend it, as functions from source to source.

What a finding offers by itself comes first; then what its rule's kind of mistake usually
needs. None of these is shown to the user before it was run and proved.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from paramscope.check.mends.catalog import MENDS
from paramscope.code.commands import Register, RegisterBuffer, Unregister
from paramscope.document.document import Command, CommandRefused, Document
from paramscope.rules.finding import Finding, OfferedEdit

ACTIONS: Mapping[str, Callable[[str, str], Command]] = {
    "register": Register,
    "register_buffer": RegisterBuffer,
    "unregister": Unregister,
}


@dataclass(frozen=True, slots=True)
class Mend:
    """A source with one edit made, and what the edit is called."""

    label: str
    source: str


def command_of(edit: OfferedEdit) -> Command | None:
    """Return the command for an edit; None for one that is not known here."""
    make = ACTIONS.get(edit.action)
    return None if make is None else make(edit.class_name, edit.attribute)


def mends_of(finding: Finding, source: str) -> Iterator[Mend]:
    """Give the source with each edit that may mend ``finding``, the likeliest first."""
    seen = {source}
    for mend in (*_offered(finding, source), *_usual(finding, source)):
        if mend.source not in seen and _is_python(mend.source):
            seen.add(mend.source)
            yield mend


def _offered(finding: Finding, source: str) -> Iterator[Mend]:
    for edit in finding.edits:
        command = command_of(edit)
        if command is None:
            continue
        try:
            yield Mend(edit.label, command.apply(Document(source)).source)
        except CommandRefused:
            continue  # the place is one that only its author can edit


def _usual(finding: Finding, source: str) -> Iterator[Mend]:
    for mend in MENDS.get(finding.rule, ()):
        try:
            for label, text in mend(finding, source):
                yield Mend(label, text)
        except CommandRefused:
            continue


def _is_python(source: str) -> bool:
    try:
        compile(source, "<mend>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
