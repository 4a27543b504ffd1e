"""Texts that come from data, made fit for a picture: safe for XML, and never wider than their place.

Nothing here knows the fonts of the reader's machine, so widths are estimated from above, by the
widest of the common system fonts. Where even that is a guess (rare scripts), the text says
how long it may be and the viewer squeezes it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from html import escape
from math import fsum

LONGEST = 200
"""Texts in pictures are cut at this many characters."""

# What XML 1.0 forbids, lone surrogates, and controls that would turn the direction of what follows.
_UNSAFE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]"
)
_SPACE = re.compile(r"\s+")

# Widths of ASCII in hundredths of the font size, from the widest of the common system fonts.
_ASCII = dict(
    zip(
        map(chr, range(32, 127)),
        (
            "32 41 46 84 64 96 78 28 40 40 50 84 32 37 32 34 64 64 64 64 64 64 64 64 64 64 34 34 84 84 84 54 "
            "100 69 69 70 78 64 58 78 76 30 30 66 56 87 75 79 61 79 70 64 62 74 69 99 69 62 69 40 34 40 84 50 "
            "50 62 64 55 64 62 36 64 64 28 28 58 28 98 64 62 64 64 42 53 40 64 60 82 60 60 53 64 34 64 84"
        ).split(),
        strict=True,
    )
)
_BOLD = 0.08  # what bold adds to each character
_HUGE = {"\ufdfa": 3.0, "\ufdfb": 3.0, "\ufdfd": 10.0, "\u2e3a": 2.2, "\u2e3b": 3.2}
_BREAK_AFTER = frozenset(" -/–—,;")


def clean(text: object, longest: int = LONGEST) -> str:
    """One line of at most ``longest`` characters that any XML reader accepts (not yet escaped).

    Examples
    --------
    >>> clean("a\\x00b\\n c"), len(clean("x" * 1_000_000))
    ('ab c', 200)
    """
    raw = str(text)[: 20 * longest]
    raw = _SPACE.sub(" ", _UNSAFE.sub("", raw)).strip()
    kept: list[str] = []
    marks = 0
    for character in raw:
        marks = marks + 1 if unicodedata.category(character) == "Mn" else 0
        if marks <= 2:  # towers of accents would leave their line
            kept.append(character)
    line = "".join(kept)
    return line if len(line) <= longest else _trim(line[: longest - 1]) + "…"


def xml(text: object) -> str:
    """Cleaned and escaped, for element text and for attributes in double or single quotes."""
    return escape(clean(text), quote=True)


def key(text: object) -> str:
    """An id for an attribute: whole (never cut), so that it can be looked up, but escaped."""
    return escape(_UNSAFE.sub("", str(text)), quote=True)


def width(text: str, size: float, bold: bool = False) -> float:
    """How wide a text is at most, in pixels.

    Examples
    --------
    >>> width("ill", 10) < width("www", 10) < width("漢字漢", 10)
    True
    """
    # Not by sum: the releases of Python round it in two ways.
    return fsum(_em(character, bold) for character in text) * size


def fit(text: str, room: float, size: float, bold: bool = False) -> str:
    """The text, or as much of it as has room, with an ellipsis.

    Examples
    --------
    >>> fit("Welcome series", 60, 12)
    'Welco…'
    """
    return wrap(text, room, size, lines=1, bold=bold)[0]


def wrap(text: str, room: float, size: float, lines: int = 2, bold: bool = False) -> list[str]:
    """At most so many lines that each have room, broken at spaces where there are any.

    Examples
    --------
    >>> wrap("Send the first welcome message", 110, 13)
    ['Send the first', 'welcome mes…']
    """
    wrapped: list[str] = []
    rest = text
    while len(wrapped) < lines - 1:
        count = _count(rest, room, size, bold)
        if count >= len(rest):
            break
        cut = count
        while cut > count // 3 and not (
            rest[cut - 1] in _BREAK_AFTER or rest[cut] == " " or _is_wide(rest[cut])
        ):
            cut -= 1
        cut = cut if cut > count // 3 else count
        wrapped.append(_trim(rest[:cut]).strip())
        rest = rest[cut:].lstrip()
    if _count(rest, room, size, bold) < len(rest):
        rest = _trim(rest[: _count(rest, room - _em("…", bold) * size, size, bold)]).rstrip() + "…"
    return [*wrapped, rest]


def squeeze(text: str, size: float, bold: bool = False) -> str:
    """The attribute that holds a text to its estimated width, for scripts where that is a guess."""
    if all(_is_known(character) for character in text):
        return ""
    return f' textLength="{width(text, size, bold):.0f}" lengthAdjust="spacingAndGlyphs"'


def _count(text: str, room: float, size: float, bold: bool) -> int:
    used = 0.0
    for place, character in enumerate(text):
        used += _em(character, bold) * size
        if used > room:
            return max(place, 1)
    return len(text)


def _trim(text: str) -> str:
    """Without the halves of a cluster that a cut leaves behind (joiners, lone selectors)."""
    return text.rstrip("\u200d\u200c\ufe0e\ufe0f")


@lru_cache(maxsize=4096)
def _em(character: str, bold: bool = False) -> float:
    """The width of a character at most, in font sizes."""
    code = ord(character)
    if code < 127:
        return int(_ASCII.get(character, "32")) / 100 + _BOLD * bold
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf"):
        return 0.0
    return _em_beyond(character, code) + _BOLD * bold


def _em_beyond(character: str, code: int) -> float:
    if character in _HUGE:
        return _HUGE[character]
    if character in "·’‘\u00a0\u202f":
        return 0.37
    if character == "−":
        return 0.84
    if code < 0x250:
        return 1.0 if character in "ÆæŒœ©®" else 0.79 if character.isupper() else 0.66
    if _is_emoji(code):
        return 1.4
    if _is_wide(character):
        return 1.02
    if 0x590 <= code < 0x780:  # Hebrew, Arabic
        return 0.85
    if code < 0x530:  # Greek, Cyrillic
        return 0.92 if character.isupper() or character in "жмшщыюф" else 0.68
    return 1.1


@lru_cache(maxsize=4096)
def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _is_emoji(code: int) -> bool:
    return (
        0x1F000 <= code < 0x1FB00
        or 0x2600 <= code < 0x27C0
        or 0x2300 <= code < 0x2400
        or 0x2B00 <= code < 0x2C00
    )


@lru_cache(maxsize=4096)
def _is_known(character: str) -> bool:
    code = ord(character)
    return (
        code < 0x700
        or 0x2000 <= code < 0x2E00
        or 0x3000 <= code < 0xA000
        or 0xAC00 <= code < 0xD7A4
        or 0xFE00 <= code < 0xFE10
        or 0xFF00 <= code < 0xFFE0
        or _is_emoji(code)
    )
