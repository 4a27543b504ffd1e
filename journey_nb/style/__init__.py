"""How things look and read everywhere: one palette, one formatter, one dictionary of words."""

from __future__ import annotations

from journey_nb.style import format, palette
from journey_nb.style.locales import LOCALES, set_locale
from journey_nb.style.words import column, word

__all__ = ["LOCALES", "column", "format", "palette", "set_locale", "word"]
