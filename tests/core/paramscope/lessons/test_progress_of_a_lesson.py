"""What a lesson asks of a run, and how its steps are done in their order."""

import math

import msgspec

from paramscope.census.rows import Kind, Stepping, TensorRow
from paramscope.lessons.lesson import Lesson, LessonRun, Step
from paramscope.lessons.progress import KEPT_LOSSES, Progress

ROW = TensorRow("scale", Kind.PARAMETER, (1,), "float32", True)


def losses(loss: float, count: int = KEPT_LOSSES) -> Progress:
    """Return the progress of a run whose last losses were all the same."""
    return Progress(step=100, losses=(loss,) * count)


def test_a_row_is_found_by_its_path() -> None:
    progress = Progress(tensors=(ROW,))
    assert progress.row("scale") is ROW
    assert progress.row("absent") is None


def test_the_loss_is_the_mean_of_the_last_ones() -> None:
    assert Progress().loss is None
    assert Progress(losses=(4.0, 4.0, 1.0)).loss == 3.0


def test_a_goal_for_the_loss_needs_more_than_one_lucky_batch() -> None:
    assert not Progress().is_below(1)
    assert not losses(0.1, count=1).is_below(1)
    assert losses(0.1).is_below(1)


def test_a_loss_that_is_no_number_reaches_no_goal() -> None:
    assert not losses(math.nan).is_below(1)


def lesson_of_two_steps() -> Lesson:
    return Lesson(
        title="Count",
        summary="Count to three.",
        document="",
        goal="Reach step 3.",
        steps=(
            Step("Reach 1.", lambda progress: progress.step == 1),
            Step("Reach 2.", lambda progress: progress.step == 2),
        ),
        is_reached=lambda progress: progress.step >= 3,
        conclusion="That is counting.",
        script=(),
    )


def test_steps_are_done_one_after_the_other_and_stay_done() -> None:
    run = LessonRun(lesson_of_two_steps())
    done = []
    for step in (0, 2, 1, 0, 2):
        run = run.after(Progress(step=step))
        done.append(run.done)
    assert done == [0, 0, 1, 1, 2]
    assert not run.is_reached


def test_whoever_reaches_the_goal_another_way_has_done_all_steps() -> None:
    run = LessonRun(lesson_of_two_steps()).after(Progress(step=3))
    assert (run.done, run.is_reached) == (2, True)


def test_a_goal_that_was_reached_stays_reached() -> None:
    run = LessonRun(lesson_of_two_steps()).after(Progress(step=3)).after(Progress(step=0))
    assert (run.done, run.is_reached) == (2, True)


def test_a_parameter_that_an_optimizer_holds_is_trained_even_if_it_rests() -> None:
    resting = msgspec.structs.replace(ROW, optimizer_index=0, stepping=Stepping.NEVER_MOVES)
    assert Progress(tensors=(resting,)).is_trained("scale")
    assert not Progress(tensors=(ROW,)).is_trained("scale")
    assert not Progress().is_trained("scale")
