"""Every lesson, played by its own script: it reaches its goal by its steps, and not without."""

import re
from dataclasses import replace

import pytest

from paramscope.census.rows import Kind
from paramscope.code.commands import Register, RegisterBuffer
from paramscope.code.parse import parse
from paramscope.document.document import Command, Document
from paramscope.engine.protocol import Play, Request, StepPhase
from paramscope.engine.session import Session
from paramscope.lessons.catalog import FIRST, lessons
from paramscope.lessons.lesson import Lesson, LessonRun
from paramscope.lessons.progress import KEPT_LOSSES, Progress

every_lesson = pytest.mark.parametrize("name", lessons())
broken_lessons = pytest.mark.parametrize(
    "name",
    [
        name
        for name, one in lessons().items()
        if any(not isinstance(a, Request) for a in one.script)
    ],
)
SLICE = 25


class Player:
    """Does to a session what the window does: edits, requests, and a look at what is new."""

    def __init__(self, session: Session, lesson: Lesson, seed: int = 0) -> None:
        self.session = session
        self.run = LessonRun(lesson)
        self.document = Document(lesson.document)
        self.progress = Progress()
        assert session.load(lesson.document, "lesson.py", revision=1, seed=seed)
        self.look()

    def look(self) -> None:
        session, news = self.session, self.session.take_news()
        is_same_run = self.progress.revision == session.revision
        before = self.progress if is_same_run else Progress()
        losses = before.losses + tuple(loss for _, loss in news.losses)
        self.progress = Progress(
            source=self.document.source,
            revision=session.revision,
            step=session.step,
            phase=session.phase,
            losses=losses[-KEPT_LOSSES:],
            tensors=news.rows or before.tensors,
            findings=before.findings if news.findings is None else news.findings,
        )
        self.run = self.run.after(self.progress)

    def play(self, *script: Request | Command) -> None:
        for action in script:
            if isinstance(action, Play):
                self.train(action.steps or 0)
            elif isinstance(action, StepPhase):
                assert self.session.run_phase()
                self.look()
            elif not isinstance(action, Request):
                self.edit(action)

    def train(self, steps: int) -> None:
        for number in range(steps):
            assert self.session.run_step(), self.session.failure
            if number % SLICE == 0:
                self.look()
        self.session.look()
        self.look()

    def edit(self, command: Command) -> None:
        session = self.session
        self.document = command.apply(self.document)
        revision = session.revision + 1
        assert session.load(self.document.source, "lesson.py", revision, keep_weights=True)
        self.look()


def test_a_newcomer_begins_with_the_forgotten_tensor() -> None:
    assert next(iter(lessons())) == "forgotten_tensor"
    assert tuple(lessons())[: len(FIRST)] == FIRST


@every_lesson
def test_its_words_are_there_and_its_document_is_drawn(name: str) -> None:
    lesson = lessons()[name]
    assert all((lesson.title, lesson.summary, lesson.goal, lesson.conclusion))
    assert all(step.text.endswith(".") for step in lesson.steps)
    assert parse(lesson.document).model is not None


@every_lesson
def test_its_script_does_its_steps_in_order_and_reaches_the_goal(
    session: Session, name: str
) -> None:
    lesson = lessons()[name]
    player = Player(session, replace(lesson, is_reached=lambda progress: False))  # no short cut
    player.play(*lesson.script)
    assert player.run.done == len(lesson.steps)
    assert lesson.is_reached(player.progress)


def promised_lines(lesson: Lesson) -> list[str]:
    """Return what the steps of a lesson say that a line becomes."""
    return re.findall(r"line becomes `(.+?)`", " ".join(step.text for step in lesson.steps))


def test_the_first_lesson_promises_a_line() -> None:
    assert promised_lines(lessons()["forgotten_tensor"])


@pytest.mark.parametrize("name", [name for name, one in lessons().items() if promised_lines(one)])
def test_the_line_that_a_step_promises_is_the_one_that_the_edit_writes(name: str) -> None:
    lesson = lessons()[name]
    document = Document(lesson.document)
    for action in lesson.script:
        if not isinstance(action, Request):
            document = action.apply(document)
    assert all(line in document.source for line in promised_lines(lesson))


@broken_lessons
def test_training_alone_does_not_reach_the_goal(session: Session, name: str) -> None:
    player = Player(session, lessons()[name])
    player.play(Play(steps=1200))
    assert player.run.done < len(player.run.lesson.steps)
    assert not player.run.is_reached


@broken_lessons
def test_the_mistake_can_be_mended_before_it_has_been_seen(session: Session, name: str) -> None:
    player = Player(session, lessons()[name])
    mend = next(action for action in player.run.lesson.script if not isinstance(action, Request))
    player.play(mend, Play(steps=900))
    assert player.run.is_reached


def test_a_random_tensor_may_as_well_be_declared_a_constant(session: Session) -> None:
    player = Player(session, lessons()["bad_model"])
    player.play(Play(steps=300), RegisterBuffer("BadModel", "my_tensor"), Play(steps=300))
    row = player.progress.row("bad_model.my_tensor")
    assert row is not None
    assert row.kind is Kind.BUFFER
    assert player.progress.findings == ()
    assert player.progress.loss is not None
    assert player.progress.loss > 0.05  # a constant, so it has learned nothing
    assert player.run.is_reached


def test_registering_changes_one_line_and_lets_the_value_move(session: Session) -> None:
    player = Player(session, lessons()["forgotten_tensor"])
    player.play(Play(steps=200))
    before = player.document.source.splitlines()
    assert session.values(("scale",))[0].values == b"\x00\x00\x80\x3f"  # 1.0, untouched
    player.play(Register("Wave", "scale"))
    changed = [
        new
        for old, new in zip(before, player.document.source.splitlines(), strict=True)
        if old != new
    ]
    assert changed == ["        self.scale = nn.Parameter(torch.ones(1))"]
    player.play(Play(steps=300))
    assert session.values(("scale",))[0].values != b"\x00\x00\x80\x3f"
    assert player.progress.findings == ()
