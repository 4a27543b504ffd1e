"""What JupyterLab is answered, whatever language it speaks."""

from __future__ import annotations

import pytest

import journey_nb as jn
from journey_nb.lab import picture


@pytest.mark.parametrize("locale", ["en", "fr_FR", "ko_KR", "de_DE", "zh-CN", "default", ""])
def test_a_document_is_drawn_in_a_language_that_is_shipped(welcome: jn.Journey, locale: str) -> None:
    assert "data:image/svg+xml" in picture(welcome.to_json(), locale)
    assert 'role="alert"' in picture("{}", locale)
