"""Offsets, edits and the comparison of two texts."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paramscope.code.call_text import CallText
from paramscope.code.graph import Span
from paramscope.code.text_edit import (
    Edit,
    SourceText,
    apply_edits,
    changed_spans,
    difference,
    moved_offset,
)

_LETTERS = st.text(alphabet="aä😀 \n\r\f\u2028=(", max_size=30)


def test_columns_are_bytes_and_offsets_are_characters() -> None:
    text = SourceText("ä = 1\r\n😀 = ä\rx\n")

    assert text.offset(1, 2) == 1
    assert text.offset(2, 7) == 11
    assert text.position(11) == (2, 7)
    assert text.line(2) == "😀 = ä"
    assert (text.newline(1), text.newline(2), text.newline(3)) == ("\r\n", "\r", "\n")


def test_syntax_nodes_are_found_in_text_of_every_kind() -> None:
    source = "größe = 1\r\nwert = größe + '😀' * 2  # ß\rz = 3"
    text = SourceText(source)
    tree = ast.parse(source)

    assert [text.text(node) for node in tree.body] == [
        "größe = 1",
        "wert = größe + '😀' * 2",
        "z = 3",
    ]


@given(_LETTERS)
def test_positions_and_offsets_are_inverse(source: str) -> None:
    text = SourceText(source)
    for offset in range(len(source) + 1):
        line, column = text.position(offset)
        place = text.offset(line, column)
        assert place == offset or source[place : offset + 1] == "\r\n"


def test_places_outside_of_the_text_go_to_its_edge() -> None:
    text = SourceText("ab\ncd")

    assert text.offset(0, 3) == 0
    assert text.offset(1, 99) == 2
    assert text.offset(9, 0) == 5
    assert text.range(Span(1, 1, 2, 1)) == (1, 4)


def test_edits_are_made_in_any_order() -> None:
    assert apply_edits("abcdef", [Edit(4, 5, "X"), Edit(0, 2, ""), Edit(3, 3, "-")]) == "c-dXf"


def test_edits_that_overlap_are_an_error() -> None:
    with pytest.raises(ValueError, match="edits overlap at character 1"):
        apply_edits("abc", [Edit(0, 2, ""), Edit(1, 3, "")])


def test_offsets_move_with_the_text_around_them() -> None:
    edits = [Edit(1, 1, "xx"), Edit(3, 4, "")]

    assert [moved_offset(place, edits) for place in range(6)] == [0, 3, 4, None, 5, 6]


@given(_LETTERS, _LETTERS)
def test_a_difference_makes_the_new_text_of_the_old(old: str, new: str) -> None:
    assert apply_edits(old, difference(old, new)) == new


def test_changed_spans_are_what_is_new() -> None:
    old = "a = 1\nb = 2\nc = 3\n"

    assert changed_spans(old, old) == ()
    assert changed_spans(old, old.replace("2", "nn.Parameter(2)")) == (Span(2, 4, 2, 19),)
    assert changed_spans(old, old.replace("b = 2\n", "")) == (Span(2, 0, 2, 0),)
    assert changed_spans(old, "new\n" + old.replace("3", "4")) == (
        Span(1, 0, 2, 0),
        Span(4, 4, 4, 5),
    )


def test_changed_spans_of_large_texts_are_found_at_once() -> None:
    old = "".join(f"line {number}\n" for number in range(20_000))
    new = "".join(f"line {number}\n" for number in range(20_000, 0, -1))

    assert len(changed_spans(old, new)) == 1


@pytest.mark.parametrize(
    "source, added, without_first",
    [
        ("f()", "f(z=1)", "f()"),
        ("f(a)", "f(a, z=1)", "f()"),
        ("f(a, b)", "f(a, b, z=1)", "f(b)"),
        ("f(a, b,)", "f(a, b, z=1)", "f(b,)"),
        ("f((a), ')', b)", "f((a), ')', b, z=1)", "f(')', b)"),
        ("(f)(a  # one\n)", "(f)(a, z=1  # one\n)", "(f)(  # one\n)"),
        ("f(\n    a,  # one\n)", "f(\n    a,  # one\n    z=1,\n)", "f(\n)"),
        ("f(g(a, b), *c, **d)", "f(g(a, b), *c, **d, z=1)", "f(*c, **d)"),
    ],
)
def test_arguments_are_added_and_removed_with_their_commas(
    source: str, added: str, without_first: str
) -> None:
    call = ast.parse(source, mode="eval").body
    assert isinstance(call, ast.Call)
    text = CallText(SourceText(source), call)

    result = apply_edits(source, text.with_argument("z=1"))
    assert result == added or result.replace(" z=1,", " z=1") == added
    if call.args:
        assert apply_edits(source, text.without(call.args[0])) == without_first
