"""What a mode means, why a step runs as it is, and what would change that."""

import pytest

from paramscope.engine.modes import MEANINGS, NOTHING_LOST, explain_mode


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
        ("does what nobody foresaw", "The step does what nobody foresaw.", NOTHING_LOST),
    ],
)
def test_a_reason_becomes_a_sentence_and_an_advice(reason: str, why: str, help_: str) -> None:
    explained = explain_mode("eager", reason)
    assert explained is not None
    assert (explained.why, explained.help) == (why, help_)
    assert explained.text == f"{MEANINGS['eager']}\n{why}\n{help_}"
