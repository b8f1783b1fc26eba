"""Dresses the application in a theme: palette, typeface and one style sheet for all widgets."""

from string import Template

from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication

from paramscope_gui.theme import GRID, RADIUS, Theme, ThemeModel, blend, load_fonts

# One hairline between areas, no boxes around them; a control shows its edge only where the
# user types or presses. `$name` is filled from the theme.
_STYLE = Template("""
QWidget { color: $text; }
QMainWindow, QDialog, QMessageBox { background: $window; }
QMessageBox, QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
QMainWindow::separator { background: $hairline; width: 1px; height: 1px; }
QMainWindow::separator:hover { background: $accent; }
QToolTip { background: $raised; color: $text; border: 1px solid $hairline; padding: 4px 8px; }
QMenuBar { background: $window; border-bottom: 1px solid $hairline; padding: 0 4px; }
QMenuBar::item { padding: 4px 8px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: $hover; }
QMenu { background: $raised; border: 1px solid $hairline; padding: 4px; }
QMenu::item { padding: 4px 24px 4px 24px; border-radius: 4px; }
QMenu::item:selected { background: $selection; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $hairline; margin: 4px 8px; }
QMenu::icon { padding-left: 6px; }
QToolBar { background: $window; border: none; border-bottom: 1px solid $hairline;
    spacing: 4px; padding: 4px 8px; }
QToolBar::separator { background: $hairline; width: 1px; margin: 6px 8px; }
QToolButton { border: 1px solid transparent; border-radius: ${radius}px; padding: 4px 8px;
    background: transparent; }
QToolButton:hover { background: $hover; }
QToolButton:pressed, QToolButton:checked { background: $selection; }
QToolButton:focus { border-color: $accent; }
QToolButton:disabled { color: $faint; }
QPushButton { background: $raised; border: 1px solid $hairline; border-radius: ${radius}px;
    padding: 4px 12px; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $selection; }
QPushButton:focus { border-color: $accent; }
QPushButton:default, QPushButton[primary="true"] { background: $accent; color: $on_accent;
    border-color: $accent; }
QPushButton[primary="true"]:hover { background: $accent_hover; }
QPushButton[primary="true"]:focus { border: 2px solid $text; padding: 3px 11px; }
QPushButton:disabled { color: $faint; background: $window; }
QPushButton[flat="true"] { background: transparent; border-color: transparent; color: $link;
    text-align: left; padding: 4px 8px; }
QPushButton[flat="true"]:hover { background: $hover; }
QLineEdit, QDoubleSpinBox, QSpinBox, QComboBox { background: $raised; color: $text;
    border: 1px solid $hairline; border-radius: ${radius}px; padding: 3px 8px;
    selection-background-color: $selection; selection-color: $text; }
QLineEdit:focus, QComboBox:focus { border-color: $accent; }
QLineEdit[invalid="true"] { border-color: $error; }
QComboBox::drop-down { border: none; width: 20px; }
QComboBox QAbstractItemView { background: $raised; border: 1px solid $hairline;
    selection-background-color: $selection; selection-color: $text; }
QAbstractScrollArea { background: $panel; border: none; }
QAbstractScrollArea::corner { background: $panel; }
QPlainTextEdit, QTextBrowser { background: $panel; color: $text; border: none;
    selection-background-color: $selection; selection-color: $text; }
QTreeView, QListView { background: $panel; border: none; outline: none; show-decoration-selected: 1;
    selection-background-color: $selection; selection-color: $text; }
QTreeView::item, QListView::item { border: none; padding: 0 2px; }
QTreeView::item:hover, QListView::item:hover { background: $hover; }
QTreeView::item:selected, QListView::item:selected { background: $selection; color: $text; }
#palette_list::item, #command_palette_list::item { min-height: ${row}px; }
QHeaderView { background: $panel; border: none; }
QHeaderView::section { background: $panel; color: $quiet; border: none;
    border-bottom: 1px solid $hairline; padding: 2px 4px; }
QDockWidget { titlebar-close-icon: none; titlebar-normal-icon: none; }
QTabBar { background: transparent; }
QTabBar::tab { background: transparent; color: $quiet; border: none; padding: 4px 12px;
    border-bottom: 2px solid transparent; }
QDockWidget QStackedWidget { background: $panel; }
QScrollArea > QWidget > QWidget { background: transparent; }
#welcome_area, #center { background: $window; }
QTabBar::tab:selected { color: $text; border-bottom: 2px solid $accent; }
QTabBar[single="true"]::tab:selected { border-bottom: 2px solid transparent; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:focus { color: $accent; }
QTabWidget::pane { border: none; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle { background: $handle; border-radius: 3px; margin: 3px; min-height: 24px;
    min-width: 24px; }
QScrollBar::handle:hover { background: $quiet; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSlider::groove:horizontal { height: 4px; background: $hairline; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal { background: $accent; width: 14px; height: 14px; margin: -5px 0;
    border-radius: 7px; }
QSlider::handle:horizontal:focus { background: $text; }
QSlider::handle:horizontal:disabled, QSlider::sub-page:horizontal:disabled { background: $handle; }
QProgressBar { background: $hairline; border: none; border-radius: 2px; max-height: 4px; }
QProgressBar::chunk { background: $accent; border-radius: 2px; }
QStatusBar { background: $window; border-top: 1px solid $hairline; color: $quiet; }
QStatusBar::item { border: none; }
QSplitter::handle { background: $hairline; }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }
QCheckBox, QRadioButton { spacing: 8px; }
QRadioButton::indicator { width: 14px; height: 14px; border: 1px solid $quiet; border-radius: 8px;
    background: $raised; }
QRadioButton::indicator:hover, QRadioButton::indicator:focus { border-color: $accent; }
QRadioButton::indicator:checked { border-color: $accent; background: qradialgradient(
    cx: 0.5, cy: 0.5, radius: 0.5, fx: 0.5, fy: 0.5, stop: 0 $accent, stop: 0.5 $accent,
    stop: 0.6 $raised, stop: 1 $raised); }
QRadioButton:disabled { color: $faint; }
QCheckBox::indicator { width: 14px; height: 14px; border: 1px solid $quiet; border-radius: 3px;
    background: $raised; }
QCheckBox::indicator:hover, QCheckBox::indicator:focus { border-color: $accent; }
QCheckBox::indicator:checked { background: $accent; background-clip: content;
    border-color: $accent; padding: 2px; width: 10px; height: 10px; }
""")


def stylesheet_of(theme: Theme) -> str:
    """Return the style sheet of a theme."""
    names = ("window", "panel", "raised", "hover", "selection", "hairline", "text", "quiet")
    values: dict[str, object] = {name: getattr(theme, name).name() for name in names}
    values |= {
        "accent": theme.accent.name(),
        "on_accent": theme.on_accent.name(),
        "accent_hover": blend(theme.accent, theme.text, 0.85).name(),
        "link": theme.accent.name(),
        "error": theme.glyphs["vermilion"].name(),
        "faint": blend(theme.quiet, theme.window, 0.6).name(),
        "handle": blend(theme.quiet, theme.panel, 0.4).name(),
        "row": round(24 * theme.scale),
        "radius": RADIUS,
        "grid": GRID,
    }
    return _STYLE.substitute(values)


def palette_of(theme: Theme) -> QPalette:
    """Return the palette of a theme, for what the style sheet does not paint."""
    palette = QPalette()
    role = QPalette.ColorRole
    colors = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.panel,
        role.AlternateBase: theme.window,
        role.Text: theme.text,
        role.PlaceholderText: theme.quiet,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: theme.words["vermilion"],
        role.Highlight: theme.selection,
        role.HighlightedText: theme.text,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.Link: theme.accent,
        role.Accent: theme.accent,
        role.Mid: theme.hairline,
        role.Dark: theme.hairline,
        role.Light: theme.raised,
    }
    for name, color in colors.items():
        palette.setColor(name, color)
    faint = blend(theme.quiet, theme.window, 0.6)
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, faint)
    return palette


def apply(app: QApplication, model: ThemeModel) -> None:
    """Dress the whole application in the model's theme, now and whenever it changes."""
    load_fonts()
    app.setStyle("Fusion")

    def dress() -> None:
        theme = model.theme
        app.setPalette(palette_of(theme))
        app.setFont(theme.font())
        app.setStyleSheet(stylesheet_of(theme))

    model.changed.connect(dress)
    dress()
