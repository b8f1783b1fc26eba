"""How a lesson follows a run: snapshots folded into one value, steps done in their order."""

import math

import msgspec

from paramscope.census.rows import Kind, Stepping, TensorRow
from paramscope.engine.protocol import Phase, Snapshot
from paramscope.lessons.lesson import Lesson, LessonRun, Step
from paramscope.lessons.progress import KEPT_LOSSES, Progress
from paramscope.rules.finding import Finding

ROW = TensorRow("scale", Kind.PARAMETER, (1,), "float32", True)
FINDING = Finding("REG01", "scale", "E", "it never learns")


def snapshot(step: int, losses: int = 0, loss: float = 1.0, revision: int = 1, **more) -> Snapshot:
    pairs = tuple((step - count, loss) for count in reversed(range(losses)))
    return Snapshot(revision, step, Phase.IDLE, losses=pairs, **more)


def test_what_a_snapshot_leaves_out_is_as_before() -> None:
    first = snapshot(1, tensors=(ROW,), findings=(FINDING,))
    progress = Progress("x = 1").after(first).after(snapshot(2))
    assert (progress.step, progress.tensors, progress.findings) == (2, (ROW,), (FINDING,))
    assert progress.source == "x = 1"


def test_no_findings_replace_those_before() -> None:
    progress = Progress().after(snapshot(1, findings=(FINDING,))).after(snapshot(2, findings=()))
    assert progress.findings == ()


def test_another_revision_begins_anew() -> None:
    before = Progress().after(snapshot(9, losses=3, tensors=(ROW,), findings=(FINDING,)))
    after = before.after(snapshot(10, revision=2))
    assert (after.step, after.losses, after.tensors, after.findings) == (10, (), (), ())


def test_a_step_count_that_went_back_begins_anew() -> None:
    after = Progress().after(snapshot(9, losses=3, tensors=(ROW,))).after(snapshot(0))
    assert (after.losses, after.tensors) == ((), ())


def test_a_row_is_found_by_its_path() -> None:
    progress = Progress().after(snapshot(1, tensors=(ROW,)))
    assert progress.row("scale") is ROW
    assert progress.row("absent") is None


def test_the_loss_is_the_mean_of_the_last_ones() -> None:
    assert Progress().loss is None
    progress = Progress().after(snapshot(100, losses=100, loss=4.0)).after(snapshot(101, losses=1))
    assert progress.loss == (4.0 * (KEPT_LOSSES - 1) + 1.0) / KEPT_LOSSES


def test_a_goal_for_the_loss_needs_more_than_one_lucky_batch() -> None:
    assert not Progress().is_below(1)
    assert not Progress().after(snapshot(1, losses=1, loss=0.1)).is_below(1)
    assert Progress().after(snapshot(KEPT_LOSSES, losses=KEPT_LOSSES, loss=0.1)).is_below(1)


def test_a_loss_that_is_no_number_reaches_no_goal() -> None:
    assert not Progress().after(snapshot(50, losses=50, loss=math.nan)).is_below(1)


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
