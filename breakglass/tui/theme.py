"""Colours and glyphs. State is always a word and a glyph as well; colour only repeats it.

Three themes: dark, light and high-contrast, each AA or better by the contrast ratio of WCAG, which a test
computes. The bands of the three modes are the same in every theme, so that hands and eyes learn them once.
"""

import locale
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from textual.theme import Theme

Tone: TypeAlias = Literal["plain", "muted", "ok", "suspect", "failed", "unknown", "accent"]


class Palette(NamedTuple):
    """The colours of one theme, as #RRGGBB."""

    name: str
    dark: bool
    background: str
    surface: str
    text: str
    muted: str
    rule: str
    accent: str
    selected: str
    """The style of the line that is looked at."""
    ok: str
    suspect: str
    failed: str
    unknown: str

    def of(self, tone: Tone) -> str:
        """The colour of a tone."""
        return {
            "plain": self.text,
            "muted": self.muted,
            "ok": self.ok,
            "suspect": self.suspect,
            "failed": self.failed,
            "unknown": self.unknown,
            "accent": self.accent,
        }[tone]


DARK = Palette(
    name="dark",
    dark=True,
    background="#101418",
    surface="#1A2129",
    text="#E6EAF0",
    muted="#A3AFBC",
    rule="#465463",
    accent="#6CB6FF",
    selected="on #2A3642",
    ok="#6CB6FF",
    suspect="#F2C14E",
    failed="#FF7B72",
    unknown="#D2A8FF",
)
LIGHT = Palette(
    name="light",
    dark=False,
    background="#FFFFFF",
    surface="#F0F3F7",
    text="#101418",
    muted="#4A5663",
    rule="#A9B4C0",
    accent="#0550AE",
    selected="on #DCE6F2",
    ok="#0550AE",
    suspect="#7A4E00",
    failed="#A40E26",
    unknown="#6639BA",
)
HIGH_CONTRAST = Palette(
    name="high-contrast",
    dark=True,
    background="#000000",
    surface="#000000",
    text="#FFFFFF",
    muted="#FFFFFF",
    rule="#FFFFFF",
    accent="#9CD2FF",
    selected="#000000 on #FFFFFF",
    ok="#9CD2FF",
    suspect="#FFD866",
    failed="#FFA8A1",
    unknown="#E2C8FF",
)
PALETTES: Mapping[str, Palette] = {each.name: each for each in (DARK, LIGHT, HIGH_CONTRAST)}


class Band(NamedTuple):
    """The band of a mode: its word and its two colours."""

    word: str
    text: str
    background: str

    @property
    def style(self) -> str:
        return f"bold {self.text} on {self.background}"


BANDS: Mapping[str, Band] = {
    "live": Band("LIVE", "#FFFFFF", "#8B1A1A"),
    "dry-run": Band("DRY-RUN", "#000000", "#F2C14E"),
    "rehearsal": Band("REHEARSAL", "#FFFFFF", "#0B4F9C"),
}


class Mark(NamedTuple):
    """A state as a glyph, in ASCII where the terminal can do no other, and the tone that repeats it."""

    glyph: str
    ascii: str
    tone: Tone


MARKS: Mapping[str, Mark] = {
    "ok": Mark("✓", "[ok]", "ok"),
    "suspect": Mark("▲", "[?]", "suspect"),
    "failed": Mark("✗", "[XX]", "failed"),
    "unknown": Mark("◆", "[??]", "unknown"),
    "running": Mark("▸", "[>>]", "accent"),
    "waiting": Mark("●", "[!]", "suspect"),
    "cancelled": Mark("□", "[-]", "muted"),
    "skipped": Mark("–", "[--]", "muted"),
    "shown": Mark("○", "[..]", "muted"),
    "nothing-to-do": Mark("∅", "[0]", "muted"),
    "pending": Mark("·", "[ ]", "muted"),
}


class Appearance(NamedTuple):
    """How things are drawn: the theme's colours, and whether the terminal shows more than ASCII."""

    palette: Palette = DARK
    unicode: bool = True

    def mark(self, state: str) -> str:
        """The glyph of a state."""
        found = MARKS[state]
        return found.glyph if self.unicode else found.ascii

    def style(self, tone: Tone) -> str:
        return self.palette.of(tone)

    def mark_style(self, state: str) -> str:
        return self.palette.of(MARKS[state].tone)

    @property
    def rule(self) -> str:
        """The character that rules are drawn with."""
        return "─" if self.unicode else "-"

    @property
    def bar(self) -> str:
        """The character between two columns."""
        return "│" if self.unicode else "|"


def speaks_unicode() -> bool:
    """Whether the locale's encoding can carry the glyphs."""
    return locale.getpreferredencoding(False).lower().replace("-", "") == "utf8"


def textual_theme(palette: Palette) -> Theme:
    """The palette as a Textual theme, its tones as variables of the stylesheet."""
    return Theme(
        name=palette.name,
        primary=palette.accent,
        secondary=palette.accent,
        accent=palette.accent,
        warning=palette.suspect,
        error=palette.failed,
        success=palette.ok,
        foreground=palette.text,
        background=palette.background,
        surface=palette.surface,
        panel=palette.surface,
        dark=palette.dark,
        text_alpha=1.0,
        variables=variables(palette),
    )


def variables(palette: Palette) -> dict[str, str]:
    """The palette's colours by the names that the stylesheet uses."""
    return {
        "ink": palette.text,
        "muted": palette.muted,
        "rule": palette.rule,
        "state-ok": palette.ok,
        "state-suspect": palette.suspect,
        "state-failed": palette.failed,
        "state-unknown": palette.unknown,
        "scrollbar": palette.rule,
        "scrollbar-hover": palette.accent,
        "scrollbar-active": palette.accent,
        "scrollbar-background": palette.background,
        "scrollbar-background-hover": palette.background,
        "scrollbar-background-active": palette.background,
        "scrollbar-corner-color": palette.background,
        "input-cursor-background": palette.text,
        "input-cursor-foreground": palette.background,
        "block-cursor-background": palette.accent,
        "block-cursor-foreground": palette.background,
    }


THEMES: dict[str, Theme] = {name: textual_theme(palette) for name, palette in PALETTES.items()}
