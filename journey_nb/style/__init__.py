"""How things look and read everywhere: one palette, one formatter, one dictionary of words."""

from __future__ import annotations

from journey_nb.style import format, palette
from journey_nb.style.words import LOCALES, column, word

__all__ = ["LOCALES", "column", "format", "palette", "word"]
