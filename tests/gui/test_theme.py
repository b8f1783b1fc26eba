"""Both schemes can be read: contrast of every pair of text and background, a glyph for a state."""

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QCheckBox, QMessageBox, QRadioButton
from pytestqt.qtbot import QtBot

from paramscope.census.rows import Gradient, Kind, Stepping, TensorRow
from paramscope_gui.dress import apply
from paramscope_gui.theme import (
    DARK,
    LIGHT,
    SEVERITIES,
    Theme,
    ThemeModel,
    glyph,
    icon,
    load_fonts,
)

SCHEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
LEAST_CONTRAST = 4.5


def contrast(one: QColor, other: QColor) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, 1.4.3)."""
    lights = sorted((_luminance(one), _luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(color: QColor) -> float:
    channels = []
    for value in (color.redF(), color.greenF(), color.blueF()):
        channels.append(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def backgrounds(theme: Theme) -> dict[str, QColor]:
    """Return everything that text may lie on."""
    names = ("window", "panel", "raised", "hover", "selection", "canvas", "node")
    fills = ("error_fill", "warning_fill", "info_fill", "flash")
    return {name: getattr(theme, name) for name in names + fills}


@SCHEMES
def test_text_can_be_read_on_every_background(theme: Theme) -> None:
    weak = [
        f"{role} on {name}: {contrast(getattr(theme, role), back):.2f}"
        for role in ("text", "quiet")
        for name, back in backgrounds(theme).items()
        if contrast(getattr(theme, role), back) < LEAST_CONTRAST
    ]
    assert weak == []


@SCHEMES
def test_state_words_can_be_read_on_every_background(theme: Theme) -> None:
    weak = [
        f"{role} on {name}: {contrast(color, back):.2f}"
        for role, color in theme.words.items()
        for name, back in backgrounds(theme).items()
        if contrast(color, back) < LEAST_CONTRAST
    ]
    assert weak == []


@SCHEMES
def test_code_can_be_read_where_code_stands(theme: Theme) -> None:
    places = ("panel", "window", "selection", "error_fill", "warning_fill", "flash")
    weak = [
        f"{role} on {name}: {contrast(color, getattr(theme, name)):.2f}"
        for role, color in theme.code.items()
        for name in places
        if contrast(color, getattr(theme, name)) < LEAST_CONTRAST
    ]
    assert weak == []


@SCHEMES
def test_text_can_be_read_on_buttons_and_title_bars(theme: Theme) -> None:
    assert contrast(theme.on_accent, theme.accent) >= LEAST_CONTRAST
    for family, tint in theme.tints.items():
        assert contrast(theme.text, tint) >= LEAST_CONTRAST, family
        assert contrast(theme.quiet, tint) >= LEAST_CONTRAST, family


@SCHEMES
def test_glyphs_stand_out_from_every_background(theme: Theme) -> None:
    weak = [
        f"{role} on {name}: {contrast(color, back):.2f}"
        for role, color in theme.glyphs.items()
        for name, back in backgrounds(theme).items()
        if name in ("window", "panel", "canvas", "node") and contrast(color, back) < 2.4
    ]
    assert weak == []


@SCHEMES
def test_every_state_has_a_glyph_that_can_be_drawn_and_a_word(
    qapp: QApplication, theme: Theme
) -> None:
    styles = [theme.kind(kind) for kind in Kind]
    styles += [theme.gradient(one) for one in Gradient if one]
    styles += [theme.stepping(one) for one in Stepping if one]
    styles += [theme.tied(), theme.shadowed()]
    for style in styles:
        assert style.word
        assert style.meaning
        image = glyph(style.glyph, style.color, 16).toImage()
        drawn = sum(image.pixelColor(x, y).alpha() > 128 for x in range(16) for y in range(16))
        assert drawn >= 8, style.word


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (TensorRow("w", Kind.PARAMETER, (2,), "float32", True), "PARAMETER"),
        (TensorRow("w", Kind.FORGOTTEN_TENSOR, (2,), "float32", True), "FORGOTTEN"),
        (
            TensorRow("w", Kind.PARAMETER, (2,), "float32", True, gradient=Gradient.ZERO),
            "ZERO",
        ),
        (
            TensorRow("w", Kind.PARAMETER, (2,), "float32", True, stepping=Stepping.NOT_STEPPED),
            "NOT STEPPED",
        ),
        (
            TensorRow("w", Kind.PARAMETER, (2,), "float32", False, gradient=Gradient.FROZEN),
            "FROZEN",
        ),
    ],
)
def test_trouble_is_shown_before_what_a_tensor_is(row: TensorRow, word: str) -> None:
    assert LIGHT.state(row).word == word


def test_the_shipped_typefaces_are_loaded(qapp: QApplication) -> None:
    assert {"Inter", "JetBrains Mono"} <= set(load_fonts())


def test_a_glyph_is_drawn_once(qapp: QApplication) -> None:
    color = QColor("#123456")
    assert glyph("disc", color, 16, 1.0) is glyph("disc", color, 16, 1.0)


def test_icons_look_different_when_disabled(qapp: QApplication) -> None:
    drawn = icon("play", LIGHT)
    normal = drawn.pixmap(16, mode=drawn.Mode.Normal).toImage()
    disabled = drawn.pixmap(16, mode=drawn.Mode.Disabled).toImage()
    assert normal != disabled


def test_changing_the_scheme_tells_the_views(themes: ThemeModel) -> None:
    told: list[bool] = []
    themes.changed.connect(lambda: told.append(themes.theme.is_dark))
    themes.set_scheme("dark")
    themes.set_scheme("dark")
    themes.set_scheme("light")
    assert told == [True, False]


def test_type_grows_with_the_scale_within_bounds(themes: ThemeModel) -> None:
    themes.set_scale(10.0)
    assert themes.theme.body == 26
    themes.set_scale(1.0)
    assert themes.theme.body == 13


def test_errors_warnings_and_hints_are_told_apart_without_colour(qapp: QApplication) -> None:
    drawn = {
        severity: glyph(shape, QColor("black"), 14).toImage()
        for severity, (shape, _, _) in SEVERITIES.items()
    }
    assert all(drawn[a] != drawn[b] for a in drawn for b in drawn if a < b)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", [QRadioButton, QCheckBox])
def test_a_checked_button_keeps_its_edge(
    qapp: QApplication, qtbot: QtBot, scheme: str, kind: type[QRadioButton | QCheckBox]
) -> None:
    themes = ThemeModel(scheme)
    apply(qapp, themes)
    made = kind("one")
    qtbot.addWidget(made)
    made.setChecked(True)
    made.show()
    image = made.grab().toImage()
    middle = image.height() // 2
    accent = themes.theme.accent
    assert contrast(image.pixelColor(0, middle), themes.theme.raised) > 3
    assert image.pixelColor(8, middle) == accent
    assert image.pixelColor(2, middle) != accent


def test_buttons_of_questions_have_words_alone(
    qapp: QApplication, qtbot: QtBot, themes: ThemeModel
) -> None:
    apply(qapp, themes)
    box = QMessageBox()
    qtbot.addWidget(box)
    box.setStandardButtons(QMessageBox.StandardButton.Save | QMessageBox.StandardButton.Cancel)
    box.show()
    assert [made.icon().isNull() for made in box.buttons()] == [True, True]
