"""Colours, type and glyphs of the window: two schemes, one vocabulary of states.

Every view takes its colours from a `Theme` by role, and every state its glyph, word and colour
from the tables here, so that the tree, the canvas and the legend cannot disagree. `ThemeModel`
holds the current theme and tells the views when it changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from PySide6.QtCore import QByteArray, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from paramscope.census.rows import Gradient, Kind, Stepping, TensorRow

GRID = 8
RADIUS = 6
FAMILY = "Inter"
MONOSPACE = "JetBrains Mono"


class StateStyle(NamedTuple):
    """How one state looks: colour of the glyph, colour of the word, glyph, word, explanation."""

    color: QColor
    text: QColor
    glyph: str
    word: str
    meaning: str


class Look(NamedTuple):
    """A state as tables hold it: the role of its colour, glyph, word and meaning."""

    role: str
    glyph: str
    word: str
    meaning: str


KIND_LOOKS: Mapping[Kind, Look] = {
    Kind.PARAMETER: Look("blue", "disc", "PARAMETER", "registered; parameters() lists it"),
    Kind.BUFFER: Look("green", "square", "BUFFER", "registered state that no optimizer trains"),
    Kind.BUFFER_NOT_SAVED: Look(
        "green", "square_open", "BUFFER (not saved)", "a buffer that state_dict() leaves out"
    ),
    Kind.TENSOR: Look("grey", "ring", "TENSOR", "a plain attribute, and meant as one"),
    Kind.FORGOTTEN_TENSOR: Look(
        "vermilion", "triangle", "FORGOTTEN", "a plain tensor that should have been a Parameter"
    ),
    Kind.FORGOTTEN_PARAMETER: Look(
        "vermilion", "triangle", "FORGOTTEN PARAMETER", "a Parameter where parameters() never looks"
    ),
    Kind.FORGOTTEN_MODULE: Look(
        "vermilion", "triangle", "FORGOTTEN MODULE", "a Module where parameters() never looks"
    ),
    Kind.NON_LEAF: Look("grey", "diamond", "NON-LEAF", "computed from other tensors"),
    Kind.UNINITIALIZED: Look("amber", "empty", "UNINITIALIZED", "its memory was never filled"),
}

GRADIENT_LOOKS: Mapping[Gradient, Look] = {
    Gradient.FLOWS: Look("green", "arrow", "FLOWS", "the last backward reached it"),
    Gradient.NONE_YET: Look("grey", "waiting", "NONE YET", "no backward has run"),
    Gradient.UNUSED: Look("amber", "cut_wire", "UNUSED", "the forward pass never reads it"),
    Gradient.DETACHED: Look("amber", "cut_wire", "DETACHED", "used, but cut off from the loss"),
    Gradient.ZERO: Look("amber", "hollow_arrow", "ZERO", "its gradient is exactly zero"),
    Gradient.VANISHING: Look(
        "amber", "hollow_arrow", "VANISHING", "its gradient is far smaller than the others"
    ),
    Gradient.EXPLODING: Look(
        "purple", "hollow_arrow_up", "EXPLODING", "its gradient grows beyond all measure"
    ),
    Gradient.NON_FINITE: Look("purple", "cross", "NaN/Inf", "its gradient is not a number"),
    Gradient.FROZEN: Look("sky", "snowflake", "FROZEN", "requires_grad is False"),
    Gradient.STALE: Look("amber", "stack", "STALE", "gradients pile up and are never cleared"),
    Gradient.NOT_APPLICABLE: Look("grey", "", "", "no gradient is expected"),
}

STEPPING_LOOKS: Mapping[Stepping, Look] = {
    Stepping.IN_OPTIMIZER: Look("blue", "check", "IN OPTIMIZER", "optimizer.step() moves it"),
    Stepping.NOT_STEPPED: Look("amber", "broken_arrow", "NOT STEPPED", "no optimizer has it"),
    Stepping.NOT_IN_MODEL: Look(
        "amber", "broken_arrow", "NOT IN MODEL", "the optimizer moves what the model lost"
    ),
    Stepping.STEPPED_TWICE: Look(
        "amber", "broken_arrow", "STEPPED TWICE", "it is in the optimizer more than once"
    ),
    Stepping.NEVER_MOVES: Look(
        "amber", "broken_arrow", "NEVER MOVES", "stepped, yet its value stays the same"
    ),
    Stepping.MOVES_WHILE_FROZEN: Look(
        "sky", "snowflake", "MOVES WHILE FROZEN", "its value changes without a gradient"
    ),
    Stepping.NOT_APPLICABLE: Look("grey", "", "", "nothing is expected to move it"),
}

TIED_LOOK = Look("blue", "discs", "TIED", "one tensor under several names")
SHADOWED_LOOK = Look("amber", "shadowed", "SHADOWED", "an attribute hides the registered tensor")

FORGOTTEN = frozenset({Kind.FORGOTTEN_TENSOR, Kind.FORGOTTEN_PARAMETER, Kind.FORGOTTEN_MODULE})
TROUBLED_GRADIENTS = frozenset(
    {
        Gradient.UNUSED,
        Gradient.DETACHED,
        Gradient.ZERO,
        Gradient.VANISHING,
        Gradient.EXPLODING,
        Gradient.NON_FINITE,
        Gradient.STALE,
    }
)
UNTROUBLED_STEPPING = frozenset({Stepping.IN_OPTIMIZER, Stepping.NOT_APPLICABLE})


@dataclass(frozen=True)
class Theme:
    """One scheme: colours by role, sizes of type in pixels, and the looks of all states.

    ``window`` lies behind everything, ``panel`` behind lists and text, ``raised`` behind
    buttons and fields. ``glyphs`` and ``words`` hold the seven state colours by role name.
    """

    is_dark: bool
    window: QColor
    panel: QColor
    raised: QColor
    hover: QColor
    selection: QColor
    hairline: QColor
    text: QColor
    quiet: QColor
    accent: QColor
    on_accent: QColor
    error_fill: QColor
    warning_fill: QColor
    info_fill: QColor
    flash: QColor
    canvas: QColor
    canvas_grid: QColor
    node: QColor
    wire: QColor
    glyphs: Mapping[str, QColor]
    words: Mapping[str, QColor]
    code: Mapping[str, QColor]
    tints: Mapping[str, QColor]
    scale: float = 1.0

    @property
    def small(self) -> int:
        """Pixel size of captions and shapes."""
        return round(12 * self.scale)

    @property
    def body(self) -> int:
        """Pixel size of ordinary text."""
        return round(13 * self.scale)

    @property
    def big(self) -> int:
        """Pixel size of the numbers and words that must be read from the last row."""
        return round(20 * self.scale)

    def font(self, size: str = "body", *, bold: bool = False, mono: bool = False) -> QFont:
        """Return the shipped typeface; figures are all of one width so that they don't dance."""
        font = QFont(MONOSPACE if mono else FAMILY)
        font.setPixelSize({"small": self.small, "body": self.body, "big": self.big}[size])
        font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
        if mono and bold:
            font.setWeight(QFont.Weight.Bold)
        font.setFeature(QFont.Tag("tnum"), 1)
        return font

    def kind(self, kind: Kind) -> StateStyle:
        """Return how "what it is" looks."""
        return self._style(KIND_LOOKS[kind])

    def gradient(self, gradient: Gradient) -> StateStyle:
        """Return how the state of a gradient looks."""
        return self._style(GRADIENT_LOOKS[gradient])

    def stepping(self, stepping: Stepping) -> StateStyle:
        """Return how "who steps it" looks."""
        return self._style(STEPPING_LOOKS[stepping])

    def tied(self) -> StateStyle:
        """Return how a tensor with several names looks."""
        return self._style(TIED_LOOK)

    def shadowed(self) -> StateStyle:
        """Return how a tensor hidden behind an attribute looks."""
        return self._style(SHADOWED_LOOK)

    def state(self, row: TensorRow) -> StateStyle:
        """Return the one state of a tensor that matters most: trouble first, else what it is."""
        if row.kind in FORGOTTEN or row.kind is Kind.UNINITIALIZED:
            return self.kind(row.kind)
        if row.gradient in TROUBLED_GRADIENTS:
            return self.gradient(row.gradient)
        if row.stepping not in UNTROUBLED_STEPPING:
            return self.stepping(row.stepping)
        if row.gradient is Gradient.FROZEN:
            return self.gradient(row.gradient)
        return self.kind(row.kind)

    def tint(self, family: str) -> QColor:
        """Return the quiet colour of a node family's title bar."""
        return self.tints.get(family, self.tints[""])

    def _style(self, look: Look) -> StateStyle:
        return StateStyle(
            self.glyphs[look.role], self.words[look.role], look.glyph, look.word, look.meaning
        )


def _colors(**values: str) -> dict[str, QColor]:
    return {name: QColor(value) for name, value in values.items()}


LIGHT = Theme(
    is_dark=False,
    window=QColor("#F3F4F6"),
    panel=QColor("#FFFFFF"),
    raised=QColor("#FFFFFF"),
    hover=QColor("#E9EDF2"),
    selection=QColor("#D9E8F7"),
    hairline=QColor("#D5D9DF"),
    text=QColor("#1B1F24"),
    quiet=QColor("#57606A"),
    accent=QColor("#0A62A0"),
    on_accent=QColor("#FFFFFF"),
    error_fill=QColor("#FCE9E0"),
    warning_fill=QColor("#FBF1D8"),
    info_fill=QColor("#E3EFF9"),
    flash=QColor("#FFF0B3"),
    canvas=QColor("#FAFBFC"),
    canvas_grid=QColor("#E7EAEE"),
    node=QColor("#FFFFFF"),
    wire=QColor("#7B8794"),
    glyphs=_colors(
        blue="#0072B2",
        green="#009E73",
        grey="#7B8794",
        vermilion="#D55E00",
        sky="#3A9BD6",
        amber="#D18F00",
        purple="#B65C92",
    ),
    words=_colors(
        blue="#005A91",
        green="#00634A",
        grey="#57606A",
        vermilion="#A33F00",
        sky="#125F89",
        amber="#755000",
        purple="#8C3466",
    ),
    code=_colors(
        keyword="#8C3466",
        string="#00634A",
        number="#005A91",
        comment="#57606A",
        definition="#005A91",
        builtin="#125F89",
        decorator="#755000",
        operator="#414952",
    ),
    tints={
        "": QColor("#E8EBEF"),
        "linear": QColor("#DCE8F5"),
        "convolution": QColor("#E2E3F6"),
        "pooling": QColor("#E6ECF3"),
        "activation": QColor("#F6ECD6"),
        "normalization": QColor("#DFF0EA"),
        "recurrent": QColor("#F1E3EF"),
        "embedding": QColor("#E4EFDC"),
        "dropout": QColor("#ECEBE6"),
        "loss": QColor("#F8E4DA"),
        "container": QColor("#E3E8EC"),
        "tensor": QColor("#E3EFF9"),
        "data": QColor("#DFF0EA"),
        "optimizer": QColor("#F1E3EF"),
        "code": QColor("#ECEEF1"),
    },
)

DARK = Theme(
    is_dark=True,
    window=QColor("#16191D"),
    panel=QColor("#1C2025"),
    raised=QColor("#272C33"),
    hover=QColor("#2B313A"),
    selection=QColor("#243B54"),
    hairline=QColor("#343B44"),
    text=QColor("#E8EBEF"),
    quiet=QColor("#A7B0BB"),
    accent=QColor("#6DB3EA"),
    on_accent=QColor("#0D1A26"),
    error_fill=QColor("#43261A"),
    warning_fill=QColor("#3B3118"),
    info_fill=QColor("#1D3044"),
    flash=QColor("#40391C"),
    canvas=QColor("#181B20"),
    canvas_grid=QColor("#242930"),
    node=QColor("#242930"),
    wire=QColor("#8592A0"),
    glyphs=_colors(
        blue="#4BA3E3",
        green="#1DB992",
        grey="#8D98A5",
        vermilion="#F07A2B",
        sky="#7CC8F2",
        amber="#EBAE2A",
        purple="#D98ABA",
    ),
    words=_colors(
        blue="#7DBCF0",
        green="#4FD3B0",
        grey="#A7B0BB",
        vermilion="#FFA066",
        sky="#96D4F7",
        amber="#F3C04D",
        purple="#E7A9CD",
    ),
    code=_colors(
        keyword="#E7A9CD",
        string="#7FD9BE",
        number="#7DBCF0",
        comment="#B3BCC6",
        definition="#7DBCF0",
        builtin="#96D4F7",
        decorator="#F3C04D",
        operator="#BAC3CD",
    ),
    tints={
        "": QColor("#323942"),
        "linear": QColor("#263E57"),
        "convolution": QColor("#323659"),
        "pooling": QColor("#2E3B48"),
        "activation": QColor("#463C25"),
        "normalization": QColor("#22443B"),
        "recurrent": QColor("#452F43"),
        "embedding": QColor("#314429"),
        "dropout": QColor("#3D3B36"),
        "loss": QColor("#4E3325"),
        "container": QColor("#323B44"),
        "tensor": QColor("#263B50"),
        "data": QColor("#22443B"),
        "optimizer": QColor("#452F43"),
        "code": QColor("#333841"),
    },
)


@lru_cache(maxsize=256)
def _drawing(name: str) -> str:
    return (files("paramscope_assets") / "icons" / f"{name}.svg").read_text(encoding="utf-8")


@lru_cache(maxsize=2048)
def _glyph(name: str, color: str, size: int, ratio: float) -> QPixmap:
    pixels = max(1, round(size * ratio))
    pixmap = QPixmap(pixels, pixels)
    pixmap.fill(Qt.GlobalColor.transparent)
    drawing = _drawing(name).replace("currentColor", color)
    renderer = QSvgRenderer(QByteArray(drawing.encode()))
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


# How bad a problem is, by the letter that its rule gives it: glyph, colour and word. The shapes
# differ, so that they are told apart without the colours.
SEVERITIES = {
    "E": ("triangle", "vermilion", "Error"),
    "W": ("diamond_mark", "amber", "Warning"),
    "H": ("info", "blue", "Hint"),
}


def glyph(name: str, color: QColor, size: int = 16, ratio: float = 0.0) -> QPixmap:
    """Return the shipped drawing ``name`` in one colour; the same pixmap each time it is asked.

    ``ratio`` is the device pixel ratio of the view that paints; 0 takes the application's.
    """
    if not ratio:
        application = QGuiApplication.instance()
        ratio = application.devicePixelRatio() if isinstance(application, QGuiApplication) else 1
    return _glyph(name, color.name(), size, ratio)


def blend(front: QColor, back: QColor, share: float = 0.5) -> QColor:
    """Return the colour that ``front`` laid over ``back`` makes, opaque to the given share."""
    keep = 1.0 - share
    return QColor(
        round(front.red() * share + back.red() * keep),
        round(front.green() * share + back.green() * keep),
        round(front.blue() * share + back.blue() * keep),
    )


def icon(name: str, theme: Theme, color: QColor | None = None) -> QIcon:
    """Return a drawing as an icon for buttons and menus, quiet while disabled."""
    result = QIcon()
    disabled = blend(theme.quiet, theme.window)
    for size in (16, 20, 24, 32):
        result.addPixmap(glyph(name, color or theme.text, size), QIcon.Mode.Normal)
        result.addPixmap(glyph(name, disabled, size), QIcon.Mode.Disabled)
    return result


@lru_cache(maxsize=1)
def load_fonts() -> tuple[str, ...]:
    """Register the shipped typefaces with Qt and return their families. Needs an application."""
    families: list[str] = []
    folder = files("paramscope_assets") / "fonts"
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith((".otf", ".ttf")):
            number = QFontDatabase.addApplicationFontFromData(QByteArray(entry.read_bytes()))
            families.extend(QFontDatabase.applicationFontFamilies(number))
    return tuple(dict.fromkeys(families))


class ThemeModel(QObject):
    """The theme in use. ``scheme`` is what the user chose: ``light``, ``dark`` or ``system``."""

    changed = Signal()

    def __init__(self, scheme: str = "system", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._scheme = scheme
        self._scale = 1.0
        self._theme = self._choose()
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._on_system_scheme_changed)

    @property
    def theme(self) -> Theme:
        """The colours to draw with now."""
        return self._theme

    @property
    def scheme(self) -> str:
        """What the user chose."""
        return self._scheme

    @property
    def scale(self) -> float:
        """Factor on all sizes of type."""
        return self._scale

    def set_scheme(self, scheme: str) -> None:
        """Show the scheme ``light``, ``dark`` or that of the ``system``."""
        self._scheme = scheme
        self._update()

    def set_scale(self, scale: float) -> None:
        """Make all type larger or smaller, between 0.8 and 2."""
        self._scale = min(2.0, max(0.8, scale))
        self._update()

    def _choose(self) -> Theme:
        dark = self._scheme == "dark" or (
            self._scheme == "system"
            and QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        )
        base = DARK if dark else LIGHT
        return base if self._scale == 1.0 else replace(base, scale=self._scale)

    def _update(self) -> None:
        chosen = self._choose()
        if chosen != self._theme:
            self._theme = chosen
            self.changed.emit()

    def _on_system_scheme_changed(self) -> None:
        self._update()
