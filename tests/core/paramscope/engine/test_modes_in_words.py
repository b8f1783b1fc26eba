"""What a mode means, why a step runs as it is, and what would change that."""

import pytest

from paramscope.engine import modes
from paramscope.engine.modes import MEANINGS, explain_mode


def test_an_engine_with_one_mode_has_nothing_to_explain() -> None:
    assert explain_mode("", "") is None


@pytest.mark.parametrize("mode", ["replay", "native"])
def test_fast_modes_say_that_the_numbers_are_the_same(mode: str) -> None:
    explained = explain_mode(mode, "")
    assert explained is not None
    assert explained.meaning == MEANINGS[mode]
    assert "up to rounding" in explained.help


@pytest.mark.parametrize(
    ("reason", "why", "help_"),
    [
        (
            "looks at the values of a tensor (item), on which it may depend",
            "The step looks at the values of a tensor (item), on which it may depend.",
            "Calculate with the tensor itself, and call `.item()` on what the step returns.",
        ),
        (
            "uses the module `random`, which may give something new",
            "The step uses the module `random`, which may give something new.",
            "Use tensors and `torch.rand`, `torch.randint`, ...: they can be recorded.",
        ),
        (
            "`batch` writes the global `count`",
            "`batch` writes the global `count`.",
            "Count in `batch()`, or keep `count` in a tensor of the model.",
        ),
        (
            "its values lead another way than when recorded",
            "Its values lead another way than when recorded.",
            "A step that takes the same branches is recorded.",
        ),
        ("does what nobody foresaw", "The step does what nobody foresaw.", ""),
        (
            "has results whose shapes depend on values (ValueError: cannot reshape)",
            "The step has results whose shapes depend on values (ValueError: cannot reshape).",
            "Keep the shapes: weigh by a mask (`torch.where`, `* (x > 0)`) in place of picking.",
        ),
    ],
)
def test_a_reason_becomes_a_sentence_and_an_advice(reason: str, why: str, help_: str) -> None:
    explained = explain_mode("eager", reason)
    assert explained is not None
    assert (explained.why, explained.help) == (why, help_)
    assert explained.text == f"{MEANINGS['eager']}\n{why}\n{help_}".rstrip()


def test_a_slow_mode_is_told_apart_from_an_error() -> None:
    explained = explain_mode("eager", "has a hook on a parameter")
    assert explained is not None
    assert "Nothing is wrong" in explained.meaning


@pytest.mark.parametrize(
    ("reason", "why", "line"),
    [
        ("has a hook on a parameter, at /models of mine/net.py:31", "a parameter (line 31).", 31),
        ("has a hook, at /models of mine/my.py:3", "a hook (line 3 of `my.py`).", None),
        ("slices [1:2] at will", "slices [1:2] at will.", None),
        (f"has a hook, at {modes.__file__}:3", "has a hook.", None),
    ],
)
def test_the_place_of_a_reason_is_told_apart(reason: str, why: str, line: int | None) -> None:
    explained = explain_mode("eager", reason, "/models of mine/net.py")
    assert explained is not None
    assert explained.why.endswith(why)
    assert explained.line == line
    assert ":3" not in explained.text


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        (
            "native mode takes no number that changes, such as a count of steps",
            "It is not made machine code: machine code takes no number that changes, such as a"
            " count of steps.",
        ),
        (
            "native mode refuses it: it runs backward twice",
            "It is not made machine code: the step runs backward twice.",
        ),
        (
            "the native form gives other gradients",
            "It is not made machine code: the native form gives other gradients.",
        ),
        (
            "numba cannot be used: No module named 'numba'",
            "There is no machine code: numba cannot be used: No module named 'numba'.",
        ),
    ],
)
def test_a_replayed_step_says_why_it_is_no_machine_code(reason: str, why: str) -> None:
    explained = explain_mode("replay", reason)
    assert explained is not None
    assert explained.why == why
    assert explained.help
