"""The curves: cheap at a million points, calm axes, and nothing hidden."""

import math

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from paramscope.engine.protocol import Phase, Snapshot
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.pyramid import MinMaxPyramid
from paramscope_gui.panels.loss import MOST_POINTS, LossPanel, StepAxis, ValueAxis, to_scale
from paramscope_gui.panels.markers import MOST_ROWS, Place, places
from paramscope_gui.theme import ThemeModel


@pytest.fixture
def panel(qtbot: QtBot, themes: ThemeModel, live: Live) -> LossPanel:
    """The plot on the screen."""
    made = LossPanel(themes, live)
    qtbot.addWidget(made, before_close_func=lambda _: made.close_timers())
    made.resize(640, 240)
    made.show()
    return made


def send(live: Live, points: list[tuple[int, float]], **metrics: float) -> None:
    """Let the worker send losses."""
    live.receive(
        Snapshot(
            revision=1,
            step=points[-1][0],
            phase=Phase.IDLE,
            losses=tuple(points),
            metrics={name: ((points[-1][0], value),) for name, value in metrics.items()},
        )
    )


def test_a_million_points_are_drawn_as_some_thousand_and_no_spike_is_lost() -> None:
    steps = np.arange(1_000_000, dtype=float)
    values = np.random.default_rng(0).normal(size=1_000_000)
    values[654_321] = 99.0
    pyramid = MinMaxPyramid()
    pyramid.update(values[:600_000])
    pyramid.update(values)
    x, y = pyramid.outline(steps, values, 0, 1_000_000, MOST_POINTS)
    assert len(x) == len(y) <= MOST_POINTS * 1.2
    assert y.max() == 99.0
    assert y.min() == values.min()
    assert np.all(np.diff(x) >= 0)


def test_zoomed_in_every_point_is_drawn() -> None:
    steps, values = np.arange(10_000.0), np.sin(np.arange(10_000.0))
    pyramid = MinMaxPyramid()
    pyramid.update(values)
    x, y = pyramid.outline(steps, values, 5_000, 5_100, MOST_POINTS)
    np.testing.assert_array_equal(x, np.arange(4_999.0, 5_102.0))
    np.testing.assert_array_equal(y, values[4_999:5_102])


def test_the_number_and_the_curve_follow_the_run(
    qtbot: QtBot, panel: LossPanel, live: Live
) -> None:
    send(live, [(step, 1.0 / step) for step in range(1, 101)])
    qtbot.waitUntil(lambda: panel.loss_line.xData is not None and len(panel.loss_line.xData) == 100)
    assert panel.findChild(object, "loss_number").text() == "0.01000"


def test_axes_stay_while_the_curve_fits_into_them(
    qtbot: QtBot, panel: LossPanel, live: Live
) -> None:
    view = panel.plot.getPlotItem().getViewBox()
    send(live, [(step, 1.0) for step in range(1, 1001)])
    qtbot.waitUntil(lambda: view.viewRange()[0][1] > 1000)
    before = view.viewRange()
    send(live, [(1001, 1.01)])
    qtbot.waitUntil(lambda: len(live.losses) == 1001)
    panel.refresh()
    assert view.viewRange() == before


def test_a_loss_that_is_no_number_is_marked(qtbot: QtBot, panel: LossPanel, live: Live) -> None:
    send(live, [(1, 0.5), (2, math.nan), (3, math.inf)])
    qtbot.waitUntil(lambda: len(panel._crosses.data) == 2)
    assert list(panel._crosses.data["x"]) == [2.0, 3.0]
    assert panel.findChild(object, "loss_number").text() == "∞"


def test_zooming_stops_following_until_told_to(qtbot: QtBot, panel: LossPanel, live: Live) -> None:
    send(live, [(step, 1.0) for step in range(1, 101)])
    qtbot.waitUntil(lambda: len(live.losses) == 100)
    panel.refresh()
    panel.plot.getPlotItem().getViewBox().sigRangeChangedManually.emit([True, True])
    assert not panel.is_following
    follow = panel.findChild(object, "loss_follow")
    assert follow.isVisible()
    qtbot.mouseClick(follow, Qt.MouseButton.LeftButton)
    assert panel.is_following


def test_the_logarithmic_axis_leaves_out_what_has_no_logarithm(panel: LossPanel) -> None:
    panel.logarithmic.setChecked(True)
    scaled = to_scale(np.array([100.0, 0.0, -1.0, math.nan]), True)
    assert scaled[0] == 2.0
    assert np.isnan(scaled[1:]).all()


def test_interventions_are_marked_once(qtbot: QtBot, panel: LossPanel, live: Live) -> None:
    send(live, [(step, 1.0) for step in range(1, 11)])
    qtbot.waitUntil(lambda: live.step_count == 10)
    live.mark("lr 0.1 → 0.2")
    panel.refresh()
    panel.refresh()
    assert panel.markers.texts == ["lr 0.1 → 0.2"]


def test_a_drop_is_drawn_at_its_own_step_among_a_hundred_thousand() -> None:
    steps = np.arange(100_000, dtype=float)
    values = np.where(steps < 54_321, 1.0, 0.1)
    pyramid = MinMaxPyramid()
    pyramid.update(values)
    x, y = pyramid.outline(steps, values, 0, 100_000, MOST_POINTS)
    assert x[y == 0.1].min() >= 54_321
    assert x[y == 1.0].max() < 54_321


def test_runs_without_any_number_are_drawn_as_gaps() -> None:
    steps, values = np.arange(100_000.0), np.ones(100_000)
    values[30_000:60_000] = math.nan
    pyramid = MinMaxPyramid()
    pyramid.update(values)
    x, y = pyramid.outline(steps, values, 0, 100_000, MOST_POINTS)
    assert np.isnan(y[(x > 31_000) & (x < 59_000)]).all()
    assert not np.isnan(y[(x < 29_900) | (x > 60_100)]).any()


def test_words_of_markers_keep_clear_of_one_another_and_of_the_edge() -> None:
    found = places([10, 50, 380, 395], [100, 100, 60, 60], 400)
    assert found == [Place(0, False), Place(1, False), Place(0, True), Place(1, True)]
    assert places([10] * (MOST_ROWS + 1), [50] * (MOST_ROWS + 1), 400)[-1] is None
    assert places([500], [50], 400) == [None]


def test_the_first_fall_stays_in_the_picture_after_a_long_plateau(
    qtbot: QtBot, panel: LossPanel, live: Live
) -> None:
    losses = [(step, 0.7 * math.exp(-step / 20) + 1e-4) for step in range(1, 8001)]
    losses[5000] = (5001, 50.0)
    send(live, losses)
    qtbot.waitUntil(lambda: len(live.losses) == 8000)
    panel.refresh()
    _, high = panel.plot.getPlotItem().getViewBox().viewRange()[1]
    assert 0.6 < high < 1.5


def test_figures_go_on_in_a_second_line_where_they_do_not_fit(
    qtbot: QtBot, panel: LossPanel, live: Live
) -> None:
    send(live, [(1, 0.5)], accuracy=0.9, held_out_loss=0.6, held_out_accuracy=0.8)
    qtbot.waitUntil(lambda: len(live.metrics) == 3)
    panel.resize(330, 300)
    panel.refresh()
    labels = list(panel._metric_labels.values())
    qtbot.waitUntil(lambda: labels[-1].y() > labels[0].y())
    assert all(label.width() >= label.sizeHint().width() for label in labels)


def test_metrics_come_and_go_with_the_run(qtbot: QtBot, panel: LossPanel, live: Live) -> None:
    send(live, [(1, 0.5)], accuracy=0.9, held_out_loss=0.6)
    qtbot.waitUntil(lambda: len(live.metrics) == 2)
    panel.refresh()
    assert set(panel._metrics) == {"accuracy", "held_out_loss"}
    live.reset()
    panel.refresh()
    assert panel._metrics == {}


def test_steps_are_written_with_thousands_separated(qapp: object) -> None:
    axis = StepAxis("bottom")
    assert axis.tickStrings([0.0, 1000.0, 20000.0], 1.0, 1000.0) == ["0", "1,000", "20,000"]
    assert axis.tickStrings([0.0, 0.5], 1.0, 0.5) == ["", ""]


@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize("size", [40.0, 70.0, 240.0])
def test_numbers_of_a_low_axis_do_not_lie_on_one_another(
    qapp: object, themes: ThemeModel, scale: float, size: float
) -> None:
    themes.set_scale(scale)
    axis = ValueAxis("left")
    axis.setTickFont(themes.theme.font("small"))
    spacing, _ = axis.tickSpacing(0.95, 1.25, size)[0]
    assert spacing / 0.3 * size >= themes.theme.small
