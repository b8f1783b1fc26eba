"""What of a file is run is kept in its layout, and nothing of its source changes."""

from paramscope.document.document import Document, Layout, Point
from paramscope.document.layout_block import join, split
from paramscope.document.run_settings import RunSettings, SetRun, run_settings

CHOSEN = RunSettings('Net(16, mode="same")', "randn(4, 8), None", "torch")


def test_a_choice_survives_the_file() -> None:
    document = SetRun(CHOSEN).apply(Document("x = 1\n", Layout({"Net/a": Point(1, 2)})))
    again = split(join(document))
    assert again == document
    assert run_settings(again.layout) == CHOSEN


def test_the_usual_choice_leaves_no_trace() -> None:
    document = Document("x = 1\n")
    assert SetRun(RunSettings()).apply(SetRun(CHOSEN).apply(document)) == document
    assert join(SetRun(RunSettings()).apply(document)) == "x = 1\n"


def test_an_entry_that_is_no_text_is_not_used() -> None:
    strange = {"run": {"model": 3, "input": "x" * 9_999, "engine": "cobol"}}
    assert run_settings(Layout(extra=strange)) == RunSettings()
    assert run_settings(Layout(extra={"run": "torch"})) == RunSettings()


def test_the_command_says_what_it_does() -> None:
    assert SetRun(CHOSEN).label == "Look at Net"
    assert SetRun(RunSettings(engine="torch")).label == "Run on torch"
