"""The one palette: what the canvas, the panels and the charts are coloured with.

Every text colour reads at 4.5:1 or better on the ground and the surface of its theme, and the
series stay apart for colour-blind readers (both tested). Colour never carries meaning alone:
each use of it stands beside a word, an icon or a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

Theme = Literal["light", "dark", "auto"]


@dataclass(frozen=True)
class Palette:
    """The colours of one theme; surfaces first, then text, then what stands out."""

    ground: str
    """Behind everything."""
    surface: str
    """Cards, tables, pills."""
    line: str
    """Hairlines and card borders."""
    edge: str
    """Branches between points."""
    text: str
    muted: str
    accent: str
    """The highlighted path, links, the first series."""
    accent_soft: str
    good: str
    good_soft: str
    warn: str
    warn_soft: str
    bad: str
    bad_soft: str
    entry: str
    entry_soft: str
    message: str
    message_soft: str
    wait: str
    wait_soft: str
    split: str
    split_soft: str
    other: str
    other_soft: str


LIGHT = Palette(
    ground="#f4f6f8",
    surface="#ffffff",
    line="#d9dfe6",
    edge="#7f8b99",
    text="#17202b",
    muted="#566271",
    accent="#0b5fb0",
    accent_soft="#e3effb",
    good="#17694a",
    good_soft="#e0f3ea",
    warn="#8a4b00",
    warn_soft="#fff0d9",
    bad="#b3261e",
    bad_soft="#fdeae8",
    entry="#17694a",
    entry_soft="#e0f3ea",
    message="#0b5fb0",
    message_soft="#e3effb",
    wait="#8a4b00",
    wait_soft="#fff0d9",
    split="#70409f",
    split_soft="#f1e9f9",
    other="#4a5766",
    other_soft="#eaeef2",
)

DARK = Palette(
    ground="#12161b",
    surface="#1d232b",
    line="#38424e",
    edge="#7d8a99",
    text="#eef2f6",
    muted="#a9b5c2",
    accent="#7db8f5",
    accent_soft="#17324e",
    good="#6fd3a6",
    good_soft="#143528",
    warn="#f3b860",
    warn_soft="#3d2b10",
    bad="#ff9b91",
    bad_soft="#46201d",
    entry="#6fd3a6",
    entry_soft="#143528",
    message="#7db8f5",
    message_soft="#17324e",
    wait="#f3b860",
    wait_soft="#3d2b10",
    split="#cba6f2",
    split_soft="#33244a",
    other="#b4c0cc",
    other_soft="#2b333d",
)

# For charts with a transparent ground, whose theme is not known when they are drawn: these read on
# white and on the dark grounds of notebooks alike (3:1 for marks, 4:1 for text). In the order to use
# them; the first four stay well apart for colour-blind readers too.
SERIES_ANY: tuple[str, ...] = (
    "#5b8fd9", "#b5480f", "#2f9a72", "#9a3fc9", "#7a8794", "#d2567b", "#a3830f", "#2f9cc0",
)  # fmt: skip
DASHES: tuple[tuple[int, ...], ...] = ((), (6, 3), (2, 2), (8, 3, 2, 3), (4, 4), (1, 3), (10, 2), (3, 1))
TEXT_ANY = "#77808c"
LINE_ANY = "#8b95a1"

FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, "
    "'Apple SD Gothic Neo', 'Malgun Gothic', 'Noto Sans CJK KR', 'Noto Sans Arabic', "
    "'Apple Color Emoji', 'Segoe UI Emoji', 'Noto Color Emoji', sans-serif"
)


# Alike in width on every system: what measures the texts and what shows them are two programs.
PICTURE_FONT = f"'Liberation Sans', Arial, Helvetica, {FONT}"


def variables(palette: Palette) -> str:
    """The palette as CSS custom properties, ``--jnb-…``.

    Examples
    --------
    >>> variables(LIGHT).split(";")[0]
    '--jnb-ground:#f4f6f8'
    """
    return ";".join(f"--jnb-{name.replace('_', '-')}:{colour}" for name, colour in asdict(palette).items())


def resolve(css: str, theme: Theme, root: str = ":root") -> str:
    """CSS that names colours as ``$name``, made for one theme or for both.

    A fixed theme gets the colours themselves. ``auto`` gets variables that follow the reader's system and that a
    host may override; programs that know none of these, as most that convert SVG, get the light theme.

    Examples
    --------
    >>> resolve("a{color:$text}", "light")
    'a{color:#17202b}'
    >>> "prefers-color-scheme:dark" in resolve("a{color:$text}", "auto")
    True
    """
    if theme != "auto":
        return _named(css, asdict(DARK if theme == "dark" else LIGHT))
    own = {name: f"var(--jnb-{name.replace('_', '-')})" for name in asdict(LIGHT)}
    return (
        f"{resolve(css, 'light')}{root}{{color-scheme:light dark;{variables(LIGHT)}}}"
        f"@media (prefers-color-scheme:dark){{{root}{{{variables(DARK)}}}}}"
        f"@supports (color:var(--jnb-text)){{{_named(css, own)}}}"
    )


def _named(css: str, colours: Mapping[str, str]) -> str:
    return re.sub(r"\$([a-z_]+)", lambda found: colours[found[1]], css)
