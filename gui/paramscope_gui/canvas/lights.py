"""Activations and gradients that run along the wires in phase steps.

Forward lights the wires from the inputs on, backward from the loss back in the colour of the
gradient's size; they stay lit until the next phase. While training runs nothing is lit: what
changes a thousand times a second explains nothing.
"""

from collections.abc import Mapping

from PySide6.QtCore import QEasingCurve, QObject, QVariantAnimation, Signal
from PySide6.QtGui import QColor

from paramscope.code.graph import Wire
from paramscope.engine.protocol import Phase, RunState
from paramscope_gui.bridge.live import Live
from paramscope_gui.canvas.faces import gradient_level
from paramscope_gui.canvas.ink import magnitude_color
from paramscope_gui.canvas.overlay import Lit
from paramscope_gui.canvas.presenter import Presenter
from paramscope_gui.canvas.scene import CanvasScene

MILLISECONDS = 900
_LIT_PHASES = frozenset({Phase.FORWARD, Phase.LOSS, Phase.BACKWARD})


class Lights(QObject):
    """Lights the wires of the scene by the phase of a step."""

    phase_lit = Signal()

    def __init__(self, scene: CanvasScene, live: Live, presenter: Presenter) -> None:
        super().__init__(scene)
        self._scene = scene
        self._live = live
        self._phase = Phase.IDLE
        self.is_still = False
        self._ranks: Mapping[Wire, int] = {}
        self._animation = QVariantAnimation(self)
        self._animation.setDuration(MILLISECONDS)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.setEasingCurve(QEasingCurve.Type.Linear)
        self._animation.valueChanged.connect(self._on_animation_value_changed)
        live.state_changed.connect(self._on_live_phase_changed)
        live.snapshot_arrived.connect(self._on_live_phase_changed)
        presenter.graph_shown.connect(self._on_presenter_graph_shown)

    @property
    def phase(self) -> Phase:
        """The phase whose light is on the wires."""
        return self._phase

    def stop(self) -> None:
        """End a running light; nothing is left that could fire."""
        self._animation.stop()

    def _light(self, progress: float) -> None:
        marks = self._scene.marks
        if self._phase not in _LIT_PHASES or not self._scene.graph.name:
            marks.lit = ()
        else:
            backward = self._phase is Phase.BACKWARD
            steps = max(self._ranks.values(), default=0) + 1
            lit = []
            for wire, rank in self._ranks.items():
                face = self._scene.wire_faces[wire]
                if backward and face.gradient is None:
                    continue  # nothing came back on this wire
                place = steps - 1 - rank if backward else rank
                part = min(1.0, progress * steps - place)
                if part > 0.0:
                    path = self._scene.paths[wire]
                    lit.append(Lit(path, face, self._color(wire), part, backward))
            marks.lit = lit
        self._scene.show_marks()

    def _color(self, wire: Wire) -> QColor:
        if self._phase is not Phase.BACKWARD:
            return self._scene.ink.color("accent")
        level = gradient_level(self._scene.wire_faces[wire].gradient)
        return self._scene.ink.color("wire") if level is None else magnitude_color(level)

    def _rank(self) -> None:
        """Number the wires by the columns of their sources."""
        columns = {
            round(self._scene.node_rect(wire.source.node).right()) for wire in self._scene.paths
        }
        order = {column: index for index, column in enumerate(sorted(columns))}
        self._ranks = {
            wire: order[round(self._scene.node_rect(wire.source.node).right())]
            for wire in self._scene.paths
        }

    def _on_live_phase_changed(self) -> None:
        is_running = self._live.state is RunState.RUNNING
        phase = Phase.IDLE if is_running else self._live.phase
        if phase == self._phase:
            return
        self._phase = phase
        self.phase_lit.emit()
        self._animation.stop()
        if phase not in _LIT_PHASES:
            self._light(1.0)
            return
        self._rank()
        if self.is_still or phase is Phase.LOSS:
            self._light(1.0)
        else:
            self._animation.start()

    def _on_animation_value_changed(self, value: object) -> None:
        assert isinstance(value, float)
        self._light(value)

    def _on_presenter_graph_shown(self) -> None:
        self._animation.stop()
        if self._phase in _LIT_PHASES:
            self._rank()
        self._light(1.0)
