"""Colours: WCAG AA in every theme, and never colour alone."""

from itertools import combinations

import pytest

from breakglass.tui.theme import BANDS, MARKS, PALETTES, Palette


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.1 defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(two)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula_gives_the_known_extremes() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert contrast("#777777", "#777777") == pytest.approx(1.0)


@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
def test_every_tone_is_readable_on_every_ground(palette: Palette) -> None:
    *_, selected = palette.selected.split()
    grounds = [palette.background, palette.surface]
    tones = (palette.text, palette.muted, palette.accent, palette.ok, palette.suspect, palette.failed)
    for ground in grounds:
        for tone in (*tones, palette.unknown):
            assert contrast(tone, ground) >= 4.5, (palette.name, tone, ground)
    on_selected = ["#000000"] if palette.selected.startswith("#") else tones
    for tone in on_selected:
        assert contrast(tone, selected) >= 4.5, (palette.name, tone, selected)


def test_text_of_the_high_contrast_theme_reaches_aaa() -> None:
    palette = PALETTES["high-contrast"]
    for tone in (palette.text, palette.ok, palette.suspect, palette.failed, palette.unknown):
        assert contrast(tone, palette.background) >= 7.0


@pytest.mark.parametrize("mode", BANDS)
def test_the_band_of_each_mode_is_readable(mode: str) -> None:
    assert contrast(BANDS[mode].text, BANDS[mode].background) >= 7.0


def test_the_modes_differ_in_word_and_ground() -> None:
    assert len({band.word for band in BANDS.values()}) == len(BANDS)
    assert len({band.background for band in BANDS.values()}) == len(BANDS)


def test_no_two_states_share_a_glyph() -> None:
    for one, two in combinations(MARKS.values(), 2):
        assert one.glyph != two.glyph
        assert one.ascii != two.ascii


def test_the_glyphs_of_a_plain_terminal_are_ascii() -> None:
    assert all(mark.ascii.isascii() for mark in MARKS.values())
