"""Which language words and numbers are in where none is asked for."""

from __future__ import annotations

LOCALES: tuple[str, ...] = ("en", "fr", "ko")
"""The languages that are shipped."""

_chosen = "en"


def set_locale(locale: str) -> None:
    """Choose the language of every view, picture and table that is made from now on without its own ``locale``.

    Raises
    ------
    ValueError
        When the language is not shipped.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.style import word
    >>> jn.set_locale("fr")
    >>> word("sent"), word("sent", "ko")
    ('Envoyés', '발송')
    >>> jn.set_locale("en")
    """
    global _chosen
    _chosen = asked(locale)


def asked(locale: str = "") -> str:
    """The locale that is asked for, else the chosen one.

    Raises
    ------
    ValueError
        When its language is not shipped.

    Examples
    --------
    >>> asked(), asked("fr-CA")
    ('en', 'fr-CA')
    """
    if locale and _language(locale) not in LOCALES:
        from journey_nb.journey import near  # which would load pydantic where only words are asked for

        raise ValueError(f"no words in {locale!r}{near(locale, LOCALES)} (there are {', '.join(LOCALES)})")
    return locale or _chosen


def language(locale: str = "") -> str:
    """The language of a locale, without its country.

    Examples
    --------
    >>> language("fr-CA"), language("ko_KR.UTF-8")
    ('fr', 'ko')
    """
    return _language(asked(locale))


def _language(locale: str) -> str:
    return locale.split("-")[0].split("_")[0].lower()
