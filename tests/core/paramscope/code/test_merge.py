"""Two changes of one text: both are kept, or it is said that they cannot be."""

import pytest

from paramscope.code.merge import merged

BASE = "a = 1\nb = 2\nc = 3\nd = 4\n"


@pytest.mark.parametrize(
    ("mine", "theirs", "both"),
    [
        ("a = 9\n" + BASE[6:], BASE[:-2] + "8\n", "a = 9\n" + BASE[6:-2] + "8\n"),
        ("a = 1\nd = 4\n", "new\n" + BASE, "new\na = 1\nd = 4\n"),
        (BASE + "e = 5\n", "a = 0\n" + BASE[6:], "a = 0\n" + BASE[6:] + "e = 5\n"),
        ("x\n" + BASE[6:], "x\n" + BASE[6:], "x\n" + BASE[6:]),
        (BASE, "a = 0\n" + BASE[6:], "a = 0\n" + BASE[6:]),
    ],
    ids=["apart", "deletion and insertion", "at the end", "the same", "nothing of mine"],
)
def test_changes_of_different_lines_are_both_kept(mine: str, theirs: str, both: str) -> None:
    assert merged(BASE, mine, theirs) == both


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("a = 9\n" + BASE[6:], "a = 8\n" + BASE[6:]),
        (BASE + "mine\n", BASE + "theirs\n"),
        ("c = 3\nd = 4\n", "a = 1\nb = 7\nc = 3\nd = 4\n"),
    ],
    ids=["one line", "both at the end", "deleted and changed"],
)
def test_changes_of_one_line_are_not_merged(mine: str, theirs: str) -> None:
    assert merged(BASE, mine, theirs) is None
