"""Sentences with code in them, and the end of a lesson."""

from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from paramscope_gui.panels.lesson import LessonPanel, LessonStep
from paramscope_gui.theme import ThemeModel
from paramscope_gui.widgets import WrappedLabel, with_code


def test_code_between_backticks_is_monospaced_and_escaped() -> None:
    said = with_code("Write `a < b` here")
    assert "`" not in said
    assert "JetBrains Mono" in said
    assert "a &lt; b" in said


def test_a_backtick_that_nothing_closes_is_shown_as_it_is() -> None:
    assert with_code("one ` alone & more") == "one ` alone &amp; more"
    assert with_code("`code` and ` alone").endswith("and ` alone")


def test_a_reader_of_the_screen_hears_no_backticks(qtbot: QtBot, themes: ThemeModel) -> None:
    label = WrappedLabel(themes, "Set `lr`.")
    qtbot.addWidget(label)
    assert label.accessibleName() == "Set lr."
    assert label.text() == "Set `lr`."


def test_the_next_lesson_is_in_view_when_the_goal_is_reached(
    qtbot: QtBot, themes: ThemeModel
) -> None:
    panel = LessonPanel(themes)
    qtbot.addWidget(panel)
    panel.resize(220, 320)
    panel.show()
    steps = [LessonStep("Look at `scale` for a while. " * 4, True) for _ in range(5)]
    panel.show_lesson("Title", "Goal: a goal.", steps[:-1] + [LessonStep("Last", False)])
    panel.show_lesson(
        "Title", "Goal: a goal.", steps, conclusion="It was `scale`. " * 6, has_next=True
    )
    following = panel.findChild(QPushButton, "lesson_next")
    assert following is not None
    qtbot.waitUntil(
        lambda: panel.rect().contains(following.mapTo(panel, following.rect().bottomRight()))
    )
