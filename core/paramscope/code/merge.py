"""Two changes of one text made into one: the user's, and another program's on the disk."""

from paramscope.code.text_edit import Edit, apply_edits, difference


def merged(base: str, mine: str, theirs: str) -> str | None:
    """Return ``base`` with both changes; None where both touch the same line.

    >>> merged("a\\nb\\nc\\n", "A\\nb\\nc\\n", "a\\nb\\nC\\n")
    'A\\nb\\nC\\n'
    """
    own, other = difference(base, mine), difference(base, theirs)
    other = tuple(edit for edit in other if edit not in own)
    taken = [_lines(base, edit) for edit in own]
    for edit in other:
        first, last = _lines(base, edit)
        if any(first <= end and start <= last for start, end in taken):
            return None
    return apply_edits(base, (*own, *other))


def _lines(text: str, edit: Edit) -> tuple[int, int]:
    """The first and the last line that an edit touches, counted from 0."""
    first = text.count("\n", 0, edit.start)
    return first, first + text.count("\n", edit.start, edit.end)
