"""Sample inputs guessed beside what the user does: reading a large model may take a moment."""

import threading

from PySide6.QtCore import QObject, Qt, Signal

from paramscope.code.sample_input import Guess, guess_inputs


class Guessing(QObject):
    """Answers the last question that was asked; earlier answers are not told any more."""

    guessed = Signal(str, object)
    _came = Signal(int, str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._number = 0
        self._came.connect(self._on_came, Qt.ConnectionType.QueuedConnection)

    def ask(self, source: str, expression: str) -> None:
        """Have ``guessed`` tell what the model that an expression makes may be given."""
        self._number += 1
        arguments = (self._number, source, expression)
        threading.Thread(target=self._answer, args=arguments, name="guessing", daemon=True).start()

    def forget(self) -> None:
        """Tell nothing of what is still being guessed."""
        self._number += 1

    def _answer(self, number: int, source: str, expression: str) -> None:
        try:
            found: tuple[Guess, ...] = guess_inputs(source, expression)
        except Exception:
            found = ()  # a source that defies reading: the user says what it is given
        try:
            self._came.emit(number, expression, found)
        except RuntimeError:
            pass  # the window was closed meanwhile

    def _on_came(self, number: int, expression: str, found: object) -> None:
        if number == self._number:
            self.guessed.emit(expression, found)
