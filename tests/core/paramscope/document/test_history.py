"""Undo, redo, merging, dirty state and the bound of the history."""

from dataclasses import dataclass

import pytest

from paramscope.document import history
from paramscope.document.document import CommandRefused, Document
from paramscope.document.history import History


@dataclass(frozen=True)
class Write:
    """Replaces the source."""

    source: str

    @property
    def label(self) -> str:
        return f"Write {self.source}"

    def apply(self, document: Document) -> Document:
        if self.source == "refuse":
            raise CommandRefused("no")
        return Document(self.source, document.layout)


def test_undo_and_redo_go_through_all_states_with_their_labels() -> None:
    steps = History(Document("a"))
    steps.execute(Write("b"))
    steps.execute(Write("c"))

    assert (steps.undo_label, steps.redo_label) == ("Write c", None)
    assert steps.undo() == Document("b")
    assert steps.undo() == Document("a")
    assert steps.undo() == Document("a")
    assert (steps.undo_label, steps.redo_label) == (None, "Write b")
    assert steps.redo() == Document("b")
    assert steps.redo() == Document("c")
    assert steps.redo() == Document("c")


def test_a_new_command_forgets_what_was_undone() -> None:
    steps = History(Document("a"))
    steps.execute(Write("b"))
    steps.undo()
    steps.execute(Write("c"))

    assert steps.redo() == Document("c")


def test_commands_with_one_merge_key_are_one_step() -> None:
    steps = History(Document("a"))
    for text in ("b", "bb", "bbb"):
        steps.execute(Write(text), merge_key="typing")

    assert steps.undo() == Document("a")
    assert steps.redo() == Document("bbb")


def test_the_end_of_a_merge_begins_a_new_step() -> None:
    steps = History(Document("a"))
    steps.execute(Write("b"), merge_key="drag")
    steps.end_merge()
    steps.execute(Write("c"), merge_key="drag")

    assert steps.undo() == Document("b")


def test_after_undo_the_same_merge_key_begins_a_new_step() -> None:
    steps = History(Document("a"))
    steps.execute(Write("b"), merge_key="typing")
    steps.execute(Write("c"))
    steps.undo()
    steps.execute(Write("d"), merge_key="typing")

    assert steps.undo() == Document("b")


def test_dirty_is_judged_by_content() -> None:
    steps = History(Document("a"))
    assert not steps.is_dirty
    steps.execute(Write("b"))
    assert steps.is_dirty
    steps.mark_saved()
    assert not steps.is_dirty
    steps.undo()
    assert steps.is_dirty
    steps.execute(Write("b"))
    assert not steps.is_dirty


def test_a_refused_command_changes_nothing() -> None:
    steps = History(Document("a"))
    with pytest.raises(CommandRefused):
        steps.execute(Write("refuse"))

    assert steps.document == Document("a")
    assert steps.undo_label is None


def test_a_command_that_changes_nothing_is_no_step() -> None:
    steps = History(Document("a"))
    steps.execute(Write("a"))

    assert steps.undo_label is None


def test_the_oldest_states_go_when_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "LARGEST_MEMORY", 25)
    steps = History(Document("0" * 10))
    for digit in "12345":
        steps.execute(Write(digit * 10))
    count = 0
    while steps.undo_label is not None:
        steps.undo()
        count += 1

    assert count == 2
