"""The layout table in the file: round trips, foreign blocks, broken blocks."""

import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paramscope.document.document import Document, Layout, Point
from paramscope.document.layout_block import join, read, split

SOURCE = "import torch\n\nx = torch.ones(3)\n"
LAYOUT = Layout({"Net/fc1": Point(120, -80.5), "/loss": Point(0, 0)}, {"zoom": 1.5})
USERS_BLOCK = (
    '# /// script\n# dependencies = ["rich"]\n#\n# [tool.ruff]\n# line-length = 9\n# ///\n'
)


def test_a_file_without_block_gets_one_at_its_end() -> None:
    assert join(Document(SOURCE, LAYOUT)) == SOURCE + (
        "\n"
        "# /// script\n"
        '# requires-python = ">=3.11"\n'
        '# dependencies = ["torch"]\n'
        "#\n"
        "# [tool.paramscope]\n"
        "# version = 1\n"
        "# owns_block = true\n"
        "#\n"
        "# [tool.paramscope.view]\n"
        "# zoom = 1.5\n"
        "#\n"
        "# [tool.paramscope.positions]\n"
        '# "Net/fc1" = [120, -80.5]\n'
        '# "/loss" = [0, 0]\n'
        "# ///\n"
    )


@pytest.mark.parametrize(
    "source",
    [
        "",
        "x = 1",
        SOURCE,
        SOURCE + "\n\n",
        SOURCE.replace("\n", "\r\n"),
        USERS_BLOCK + SOURCE,
        SOURCE + USERS_BLOCK,
        SOURCE + "# /// script\n# ///",
        '"""# /// script\n"""\n',
        SOURCE + "# trailing comment",
        USERS_BLOCK.replace("\n", "\r\n") + SOURCE.replace("\n", "\r\n"),
        SOURCE + "# /// other\n# a = 1\n# ///\n",
    ],
)
def test_a_layout_comes_back_as_it_was_written(source: str) -> None:
    document = Document(source, LAYOUT)
    text = join(document)

    assert split(text) == document
    assert join(split(text)) == text


def test_an_empty_layout_leaves_the_file_alone() -> None:
    assert join(Document(SOURCE)) == SOURCE
    assert split(SOURCE) == Document(SOURCE)


def test_what_else_the_block_says_stays_in_the_source() -> None:
    text = join(Document(USERS_BLOCK + SOURCE, LAYOUT))

    assert split(text).source == USERS_BLOCK + SOURCE
    assert tomllib.loads(
        "\n".join(line[2:] for line in text.splitlines() if line[:1] == "#" and "///" not in line)
    )["tool"]["ruff"] == {"line-length": 9}


def test_dependencies_that_the_user_edits_in_our_block_become_theirs() -> None:
    text = join(Document(SOURCE, LAYOUT)).replace('["torch"]', '["torch", "rich"]')
    document = split(text)

    assert document.layout == LAYOUT
    assert '# dependencies = ["torch", "rich"]\n# ///\n' in document.source
    assert split(join(document)) == document


def test_unknown_keys_and_newer_versions_are_kept() -> None:
    text = join(Document(SOURCE, LAYOUT)).replace(
        "# version = 1\n", '# version = 7\n# frames = [{title = "a", nodes = ["b"]}]\n'
    )
    document = split(text)

    assert document.layout.extra == {"version": 7, "frames": [{"title": "a", "nodes": ["b"]}]}
    assert document.layout.positions == LAYOUT.positions
    assert split(join(document)) == document


def test_a_broken_block_is_reported_with_its_line_and_the_source_opens() -> None:
    text = SOURCE + "# /// script\n# [tool.paramscope]\n# version = = 1\n# ///\n"
    document, notices = read(text)

    assert document == Document(text)
    assert [notice.line for notice in notices] == [6]
    assert join(Document(text, LAYOUT)) == text


def test_two_blocks_are_reported() -> None:
    document, notices = read(USERS_BLOCK + SOURCE + USERS_BLOCK)

    assert document.source == USERS_BLOCK + SOURCE + USERS_BLOCK
    assert "two script blocks" in notices[0].message


def test_positions_that_cannot_be_are_dropped_or_bounded() -> None:
    text = join(Document(SOURCE, LAYOUT)).replace(
        '# "/loss" = [0, 0]\n',
        "# a = [nan, 0]\n# b = [1e300, 0]\n# c = 3\n# d = [true, 1]\n# e = [1]\n",
    )
    document, notices = read(text)

    assert document.layout.positions == {"Net/fc1": Point(120, -80.5), "b": Point(1_000_000, 0)}
    assert notices[0].message.startswith("4 positions")


def test_positions_that_are_not_finite_are_not_written() -> None:
    text = join(Document(SOURCE, Layout({"a": Point(math.nan, 0), "b": Point(1, 2)})))

    assert split(text).layout.positions == {"b": Point(1, 2)}


def test_nesting_without_end_is_reported() -> None:
    text = "# /// script\n# a = " + "[" * 50_000 + "\n# ///\n"

    assert read(text)[1]


_positions = st.dictionaries(
    st.text(max_size=12),
    st.builds(Point, *[st.floats(-1e6, 1e6, allow_nan=False)] * 2),
    max_size=4,
)
_scalars = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=8), st.floats(-1e9, 1e9)
)
_extra = st.dictionaries(
    st.text(max_size=6).map(lambda key: f"x{key}"),
    st.recursive(
        _scalars,
        lambda part: st.one_of(
            st.lists(part, max_size=3), st.dictionaries(st.text(max_size=3), part, max_size=3)
        ),
        max_leaves=6,
    ),
    max_size=3,
)
_sources = st.lists(
    st.sampled_from(
        [
            "x = 1",
            "",
            "#",
            "# ///",
            "# /// script",
            "# a = 1",
            "import torch",
            "# [tool.paramscope]",
        ]
    ),
    max_size=8,
)


@given(
    lines=_sources,
    end=st.sampled_from(["", "\n"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    positions=_positions,
    extra=_extra,
)
def test_any_layout_of_any_source_round_trips(
    lines: list[str],
    end: str,
    newline: str,
    positions: dict[str, Point],
    extra: dict[str, object],
) -> None:
    source = split(newline.join(lines) + end).source
    text = join(Document(source, Layout(positions, {}, extra)))

    once = split(text)
    assert join(once) == text
    if not read(source)[1] and "[tool.paramscope]" not in source:
        assert once.source == source
        assert once.layout.positions == positions
