"""Asks what of a file is to be looked at where the file does not say so, and has it looked at."""

import importlib.util
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtGui import QActionGroup

from paramscope.code.model_choice import choices, has_build
from paramscope.document.run_settings import ENGINES, RunSettings, SetRun
from paramscope.engine.protocol import Play, RunState
from paramscope_gui.window.documents import Documents
from paramscope_gui.window.main import MainWindow
from paramscope_gui.window.model_dialog import ENGINE_WORDS, WHOLE, ModelDialog

LOOK_STEPS = 5  # of a made-up training: enough for every verdict that it can give
MISSING = "PyTorch is not installed. `pip install torch` adds it."


class ModelChooser(QObject):
    """The dialog, the entries of the Run menu, and the first steps of a made-up training."""

    def __init__(self, window: MainWindow, documents: Documents) -> None:
        super().__init__(window)
        self._window, self._documents = window, documents
        self._workspace, self._live = window.workspace, window.live
        self._dialog: ModelDialog | None = None
        self._looked_at = -1  # the revision that was looked at
        self._fill_menu()
        documents.ask_model = self._ask_if_needed
        documents.opened.connect(self._on_documents_opened)
        window.live.state_changed.connect(self._on_live_state_changed)
        window.workspace.document_changed.connect(self._show_engine)

    @property
    def dialog(self) -> ModelDialog | None:
        """The dialog, while it is open."""
        dialog = self._dialog
        return dialog if dialog is not None and dialog.isVisible() else None

    @property
    def is_needed(self) -> bool:
        """Whether the document has Modules, but nothing says which of them is the model."""
        if self._workspace.run_settings.model or self._workspace.source_error is not None:
            return False
        source = self._workspace.document.source
        return not has_build(source) and bool(choices(source))

    def open(self) -> None:
        """Ask."""
        if self._dialog is None:
            self._dialog = ModelDialog(self._window.themes, self._window)
            self._dialog.chosen.connect(self._on_dialog_chosen)
        source = self._workspace.document.source
        settings = self._workspace.run_settings
        if self.is_needed and _has_torch():
            settings = RunSettings(settings.model, settings.input, "torch")
            self._live.start_worker("torch")  # it takes seconds, in which the user chooses
        whole = (WHOLE,) if has_build(source) else ()
        self._dialog.ask(
            self._workspace.name,
            source,
            (*whole, *choices(source)),
            settings,
            [(name, "" if name == ENGINES[0] or _has_torch() else MISSING) for name in ENGINES],
        )

    def close(self) -> None:
        """Close the dialog; called once, when the window closes."""
        if self._dialog is not None:
            self._dialog.close()
            self._dialog.deleteLater()
            self._dialog = None

    def _fill_menu(self) -> None:
        menus = self._window.menus
        menus.run.addSeparator()
        menus.add(menus.run, "run_choose", "Model and sample input...", self.open, ["Ctrl+Shift+I"])
        inner = menus.run.addMenu("Engine")
        inner.setObjectName("menu_engine")
        group = QActionGroup(self._window)
        for name in ENGINES:
            action = menus.add(
                inner, f"engine_{name}", ENGINE_WORDS[name], partial(self._run_on, name)
            )
            action.setCheckable(True)
            group.addAction(action)
            if name == "torch" and not _has_torch():
                action.setEnabled(False)
                action.setToolTip(MISSING.replace("`", ""))
        self._show_engine()

    def _show_engine(self) -> None:
        engine = self._workspace.run_settings.engine
        self._window.menus.actions[f"engine_{engine}"].setChecked(True)

    def _run_on(self, engine: str) -> None:
        settings = self._workspace.run_settings
        if settings.engine != engine:
            self._workspace.execute(SetRun(RunSettings(settings.model, settings.input, engine)))
        self._show_engine()

    def _ask_if_needed(self) -> bool:
        """Ask if nothing says what the model is; tell whether it was asked."""
        if self.is_needed:
            self.open()
            return True
        return False

    def _on_documents_opened(self) -> None:
        if self._dialog is not None:
            self._dialog.close()
        if self._workspace.path is not None and self.is_needed:
            self.open()

    def _on_dialog_chosen(self, settings: RunSettings) -> None:
        if settings != self._workspace.run_settings:
            self._workspace.execute(SetRun(settings))
            self._window.selection.go_home()
        self._window.notices.withdraw("failure")
        self._looked_at = -1
        self._documents.trust_and_load()

    def _on_live_state_changed(self) -> None:
        """Have a file whose training is made up looked at: nobody else would press Play."""
        is_new = self._looked_at != self._workspace.revision
        if self._live.state is RunState.READY and is_new and self._workspace.has_made_up_training:
            self._looked_at = self._workspace.revision
            self._live.send(Play(LOOK_STEPS))
            self._window.notices.say(
                "made_up",
                "info",
                "The loss is made up, so that gradients flow: what needs a loss and an optimizer of"
                " your own is not judged.",
                [("Model and sample input", self.open)],
            )


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None
