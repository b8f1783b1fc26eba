"""A lesson as plain values, and how far a user has come in it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from paramscope.document.document import Command
from paramscope.engine.protocol import Request
from paramscope.lessons.progress import Progress

Check = Callable[[Progress], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, and the check that sees that it is done."""

    text: str
    is_done: Check


@dataclass(frozen=True, slots=True)
class Lesson:
    """A broken document, a goal, the steps that lead there, and what to take home.

    ``script`` is the way to the goal without a hand on the mouse: requests to the worker and
    commands on the document, one after the other. The demo plays it, and so do the tests. It
    waits after each ``Play`` until those steps are done.
    """

    title: str
    summary: str
    document: str
    goal: str
    steps: tuple[Step, ...]
    is_reached: Check
    conclusion: str
    script: tuple[Request | Command, ...]


@dataclass(frozen=True, slots=True)
class LessonRun:
    """A lesson being played: how many of its steps are done. What is done stays done."""

    lesson: Lesson
    done: int = 0
    is_reached: bool = False

    def after(self, progress: Progress) -> "LessonRun":
        """Return the run after a look at ``progress``.

        Whoever reaches the goal by another way, or skips a step, has done them all.
        """
        if self.is_reached or self.lesson.is_reached(progress):
            return replace(self, done=len(self.lesson.steps), is_reached=True)
        done = self.done
        while done < len(self.lesson.steps) and self.lesson.steps[done].is_done(progress):
            done += 1
        return replace(self, done=done)
