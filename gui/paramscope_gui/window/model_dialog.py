"""The question what of a file is to be looked at: its classes, their arguments, a sample input.

Everything it shows was found in the source without running it; each guess has its reason.
"""

import ast
from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from paramscope.code.model_choice import Argument, Choice, defines
from paramscope.document.run_settings import RunSettings
from paramscope_gui.bridge.guessing import Guessing
from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import Hairline, ThemedLabel, WrappedLabel, button, clear_layout
from paramscope_gui.window.entry_rows import EntryRow

PAUSE_MILLISECONDS = 200  # in typing, after which the sample input is guessed anew
FEW = 8  # choices that need no filter
CHOICE = Qt.ItemDataRole.UserRole
OTHER = Choice("Something else", "other", 0, (Argument("model", "", "any Python that makes one"),))
WHOLE = Choice("build()", "document", 0, (), "the model that the file itself makes")
ENGINE_WORDS = {"gradcore": "gradcore", "torch": "PyTorch"}


class ModelDialog(QDialog):
    """Asks once for a file; ``chosen`` tells the answer. It is not modal."""

    chosen = Signal(object)

    def __init__(self, themes: ThemeModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._source = ""
        self._before = RunSettings()
        self._rows: list[EntryRow] = []
        self._inputs: list[EntryRow] = []
        self._waiting: ThemedLabel | None = None  # shown while an input is guessed
        self._guessing = Guessing(self)
        self._guessing.guessed.connect(self._on_guessed)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MILLISECONDS)
        self._pause.timeout.connect(self._guess)
        self.setObjectName("model_dialog")
        self.setAccessibleName("Choose a model")
        self.setWindowTitle("Choose a model")
        self._arrange()

    # Asking

    def ask(
        self,
        name: str,
        source: str,
        choices: Sequence[Choice],
        settings: RunSettings,
        engines: Sequence[tuple[str, str]],
    ) -> None:
        """Show what a file offers. ``engines`` are names, each with why it can't be used."""
        self._source, self._before = source, settings
        said = "Its build() is used unless you choose another."
        if WHOLE not in choices:
            said = "It has no build()."
        self._about.setText(
            f"`{name}` was read and not run. {said} Choose what makes the model, and what it is"
            " given: the file itself stays as it is."
        )
        self._list.clear()
        self.filter.clear()
        self.filter.setVisible(len(choices) > FEW)
        for choice in (*choices, OTHER):
            item = QListWidgetItem(_words_of(choice))
            item.setData(CHOICE, choice)
            item.setToolTip(choice.about)
            self._list.addItem(item)
        for engine, problem in engines:
            radio = self._engines[engine]
            radio.setEnabled(not problem)
            radio.setToolTip(problem)
        usable = {engine for engine, problem in engines if not problem}
        self._engines[settings.engine if settings.engine in usable else "gradcore"].setChecked(True)
        self._list.setCurrentRow(self._row_of(settings, choices))
        self.resize(min(100 * GRID, 940), min(70 * GRID, 620))
        self.show()
        self.activateWindow()
        self._list.setFocus()

    @property
    def settings(self) -> RunSettings:
        """The answer as it stands."""
        choice = self._choice()
        if choice is None:
            return RunSettings()
        texts = [row.text for row in self._rows]
        model = texts[0] if choice.kind == "other" else choice.expression(texts)
        if choice == WHOLE:
            model = ""
        given = ", ".join(row.text for row in self._inputs if row.text)
        engine = next(name for name, radio in self._engines.items() if radio.isChecked())
        return RunSettings(model, given, engine)

    # Building

    def _arrange(self) -> None:
        themes = self._themes
        self._about = WrappedLabel(themes)
        self._about.setObjectName("model_about")
        self.run_button = button("Run and look", "model_run", self._accept, primary=True)
        self.run_button.setDefault(True)
        self._said = WrappedLabel(themes, "", "quiet", "small")
        self._said.setObjectName("model_said")
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addLayout(self._choices_column(), 2)
        middle.addWidget(self._answers_area(), 3)
        last = QHBoxLayout()
        last.setSpacing(GRID)
        last.addWidget(self._said, 1)
        last.addWidget(button("Only draw it", "model_draw", self.close))
        last.addWidget(self.run_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID + GRID // 2)
        column.addWidget(self._about)
        column.addLayout(middle, 1)
        column.addLayout(self._engine_row())
        column.addWidget(Hairline(themes))
        column.addLayout(last)

    def _choices_column(self) -> QVBoxLayout:
        self.filter = QLineEdit()
        self.filter.setObjectName("model_filter")
        self.filter.setAccessibleName("Filter the classes")
        self.filter.setPlaceholderText("Filter the classes")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._on_filter_changed)
        self._list = QListWidget()
        self._list.setObjectName("model_list")
        self._list.setAccessibleName("What makes the model")
        self._list.setMinimumWidth(28 * GRID)
        self._list.setUniformItemSizes(True)
        self._list.setSpacing(2)
        self._list.currentItemChanged.connect(lambda *_: self._on_list_chosen())
        column = QVBoxLayout()
        column.setSpacing(GRID)
        column.addWidget(self.filter)
        column.addWidget(self._list, 1)
        return column

    def _answers_area(self) -> QScrollArea:
        inner = QWidget()
        inner.setObjectName("model_answers")
        self._answers = QVBoxLayout()
        self._answers.setSpacing(GRID)
        outer = QVBoxLayout(inner)
        outer.setContentsMargins(2 * GRID, 0, GRID, 0)
        outer.addLayout(self._answers)
        outer.addStretch(1)
        area = QScrollArea()
        area.setObjectName("model_area")
        area.setAccessibleName("What the model needs")
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inner)
        return area

    def _engine_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2 * GRID)
        row.addWidget(ThemedLabel(self._themes, "Run on", bold=True))
        group = QButtonGroup(self)
        self._engines: dict[str, QRadioButton] = {}
        for name in ("torch", "gradcore"):
            radio = QRadioButton(ENGINE_WORDS[name])
            radio.setObjectName(f"model_engine_{name}")
            radio.setAccessibleName(f"Run on {ENGINE_WORDS[name]}")
            group.addButton(radio)
            row.addWidget(radio)
            self._engines[name] = radio
        row.addStretch(1)
        return row

    # What the user does

    def _on_filter_changed(self, text: str) -> None:
        words = text.lower().split()
        first: QListWidgetItem | None = None
        for place in range(self._list.count()):
            item = self._list.item(place)
            fits = all(word in item.text().lower() for word in words)
            item.setHidden(not fits)
            first = first or (item if fits else None)
        current = self._list.currentItem()
        if first is not None and (current is None or current.isHidden()):
            self._list.setCurrentItem(first)

    def _on_list_chosen(self) -> None:
        choice = self._choice()
        clear_layout(self._answers)
        self._rows, self._inputs, self._waiting = [], [], None
        self._guessing.forget()
        if choice is None:
            return
        kept = _arguments_in(self._before.model) if _is_of(choice, self._before.model) else {}
        if choice.kind == "other" and not kept:
            kept = {"model": self._before.model}
        if choice.arguments:
            title = "Its constructor needs" if choice.kind != "other" else "What makes the model"
            self._add_heading(title)
        for number, argument in enumerate(choice.arguments):
            text = kept.get(argument.name, argument.text)
            row = EntryRow(
                self._themes, f"model_argument_{number}", argument.name, text, argument.reason
            )
            row.changed.connect(self._on_row_changed)
            self._answers.addWidget(row)
            self._rows.append(row)
        if choice == WHOLE and defines(self._source, "batch"):
            words = "The file's own build(), batch() and loss() are used."
            self._answers.addWidget(WrappedLabel(self._themes, words))
            self._check()
            return
        self._add_heading("Its forward is given")
        self._waiting = ThemedLabel(self._themes, "Reading forward ...", "quiet", "small")
        self._answers.addWidget(self._waiting)
        self._check()
        self._guess()

    def _add_heading(self, text: str) -> None:
        self._answers.addWidget(ThemedLabel(self._themes, text, bold=True))

    def _on_row_changed(self) -> None:
        self._check()
        self._pause.start()

    def _guess(self) -> None:
        if self._waiting is not None:
            self._guessing.ask(self._source, self.settings.model or WHOLE.name)

    def _on_guessed(self, _: str, guesses: object) -> None:
        found = list(guesses) if isinstance(guesses, tuple) else []
        if self._waiting is not None:
            self._waiting.hide()
        typed = {row.name: row.text for row in self._inputs if row.is_typed}
        for row in self._inputs:
            self._answers.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._inputs = []
        kept = self._kept_inputs(len(found))
        for number, guess in enumerate(found):
            text = typed.get(guess.name) or (kept[number] if kept else guess.text)
            self._add_input(number, guess.name, text, guess.reason)
        if not found:
            text = typed.get("input", self._before.input)
            self._add_input(0, "input", text, "the source does not tell what it takes")
        self._check()

    def _add_input(self, number: int, name: str, text: str, reason: str) -> None:
        row = EntryRow(self._themes, f"model_input_{number}", name, text, reason)
        row.changed.connect(self._check)
        self._answers.addWidget(row)
        self._inputs.append(row)

    def _kept_inputs(self, count: int) -> list[str]:
        """Return what was given before, where it was to the same model."""
        choice = self._choice()
        if choice is None or not _is_of(choice, self._before.model):
            return []
        parts = _parts_of(self._before.input)
        return parts if len(parts) == count else []

    def _check(self) -> None:
        """Say what is still missing, or what will be run."""
        settings = self.settings
        problem = ""
        choice = self._choice()
        empty = [row.name for row in self._rows if not row.text]
        if choice is None:
            problem = "Nothing is chosen."
        elif empty:
            problem = f"`{empty[0]}` has no default: say what it is."
        elif choice != WHOLE and not _is_expression(settings.model):
            problem = f"`{settings.model}` is no Python that makes a model."
        elif not _is_expression(f"f({settings.input})"):
            problem = f"`{settings.input}` is no Python."
        self.run_button.setEnabled(not problem)
        model = settings.model or WHOLE.name
        if not problem and settings.input:
            problem = f"Runs `{model}` on `{settings.input}`."
        elif not problem and self._waiting is None:
            problem = f"Runs `{model}` on what the file's batch() gives."
        elif not problem:
            problem = f"Builds `{model}` and takes no step: there is no input."
        self._said.setText(problem)

    def _accept(self) -> None:
        if self.run_button.isEnabled():
            settings = self.settings
            self.close()
            self.chosen.emit(settings)

    # Small parts

    def _choice(self) -> Choice | None:
        item = self._list.currentItem()
        choice = None if item is None else item.data(CHOICE)
        return choice if isinstance(choice, Choice) else None

    def _row_of(self, settings: RunSettings, choices: Sequence[Choice]) -> int:
        for number, choice in enumerate(choices):
            if _is_of(choice, settings.model):
                return number
        return len(choices) if settings.model or not choices else 0

    # Overrides of Qt methods

    def sizeHint(self) -> QSize:
        return QSize(100 * GRID, 70 * GRID)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._pause.stop()
        self._guessing.forget()
        super().closeEvent(event)
        window = self.parentWidget()
        if window is not None:
            window.activateWindow()


def _words_of(choice: Choice) -> str:
    if choice.kind == "other":
        return f"{choice.name} ..."
    if choice == WHOLE:
        return f"{choice.name}   of the file"
    return f"{choice.name}   {choice.kind}, line {choice.line}"


def _is_of(choice: Choice, model: str) -> bool:
    """Tell whether an expression makes what a choice offers."""
    if choice == WHOLE:
        return not model
    if choice.kind == "model":
        return model == choice.name
    return model.startswith(f"{choice.name}(") or model == choice.name


def _arguments_in(model: str) -> dict[str, str]:
    try:
        body = ast.parse(model, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    if not isinstance(body, ast.Call):
        return {}
    return {one.arg: ast.unparse(one.value) for one in body.keywords if one.arg is not None}


def _parts_of(given: str) -> list[str]:
    """Split a sample input at the commas that stand between its parts."""
    try:
        body = ast.parse(f"f({given})", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [ast.unparse(one) for one in body.args] if isinstance(body, ast.Call) else []


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
