"""One palette, one formatter, one dictionary."""

from __future__ import annotations

import re
import string
from dataclasses import asdict
from itertools import combinations

import pytest
from contrast import contrast
from hypothesis import given
from hypothesis import strategies as st

from journey_nb import journey
from journey_nb.events.words import KINDS, REASONS
from journey_nb.metrics import definitions
from journey_nb.render import panels
from journey_nb.style import LOCALES, column, format, palette, word
from journey_nb.style.meanings import _MEANINGS
from journey_nb.style.words import _WORDS, value

INK = ("text", "muted", "accent", "good", "warn", "bad", "entry", "message", "wait", "split", "other")


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK])
@pytest.mark.parametrize("ink", INK)
def test_text_reads_on_every_ground_it_stands_on(theme: palette.Palette, ink: str) -> None:
    colours = asdict(theme)
    grounds = [
        colours["ground"],
        colours["surface"],
        *([colours[f"{ink}_soft"]] if f"{ink}_soft" in colours else []),
    ]
    assert min(contrast(colours[ink], ground) for ground in grounds) >= 4.5


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK])
def test_branches_stand_out_from_the_ground(theme: palette.Palette) -> None:
    assert contrast(theme.edge, theme.ground) >= 3


def test_series_stand_out_in_every_theme() -> None:
    for colour in (*palette.SERIES_ANY, palette.LINE_ANY, palette.TEXT_ANY):
        assert min(contrast(colour, ground) for ground in ("#ffffff", "#111111")) >= 3
    assert min(contrast(palette.TEXT_ANY, ground) for ground in ("#ffffff", "#111111")) >= 3.9


# How red- and green-blind people see linear RGB (Machado, Oliveira, Fernandes 2009, severity 1).
BLIND = {
    "none": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}


def seen(colour: str, matrix: tuple[tuple[float, ...], ...]) -> list[float]:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    mixed = [max(0.0, min(1.0, sum(a * b for a, b in zip(row, linear, strict=True)))) for row in matrix]
    return [255 * (c * 12.92 if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055) for c in mixed]


@pytest.mark.parametrize("kind", BLIND)
def test_the_first_series_stay_apart_for_colour_blind_readers(kind: str) -> None:
    colours = [seen(colour, BLIND[kind]) for colour in palette.SERIES_ANY[:4]]
    for one, two in combinations(colours, 2):
        assert sum((a - b) ** 2 for a, b in zip(one, two, strict=True)) ** 0.5 > 50


def test_every_colour_named_in_css_is_resolved() -> None:
    css = ";".join(f"${name}" for name in asdict(palette.LIGHT))
    for theme in ("light", "dark", "auto"):
        assert "$" not in palette.resolve(css, theme)


def test_programs_that_know_no_variables_draw_the_light_theme() -> None:
    """As librsvg, CairoSVG and Inkscape: what they cannot read they pass over, or take for black."""
    css = ".a{fill:$surface;stroke:$line}.b{color:$good_soft}"
    plain, _, rest = palette.resolve(css, "auto", root=".jnb").partition(".jnb{")
    assert plain == palette.resolve(css, "light")
    assert "@supports (color:var(--jnb-text)){.a{fill:var(--jnb-surface);stroke:var(--jnb-line)}" in rest


def test_the_dictionary_knows_all_the_data_can_say() -> None:
    known = [*journey.POINT_TYPES, *journey.CHANNELS, *KINDS, *REASONS]
    known += [
        *journey.Status.__args__,
        *journey.EntryType.__args__,
        "in_progress",
        "completed",
        "exited",
        "dropped",
    ]
    known += [key for keys in journey.BRANCH_KEYS.values() for key in keys or () if not key.endswith(":")]
    assert [key for key in known if key not in _WORDS] == []


def test_the_dictionary_knows_the_columns_of_every_table() -> None:
    """Those of the rates' intervals and changes by their endings; none falls back to its own name."""
    named = {name for table in definitions.TABLES.values() for name in table.columns}
    named |= {"table", "key", "column", "mark", "rows", "example", "counts", "unit", "clock", "rule"}
    plain = {re.sub(r"_(prev|change|low|high|small)$", "", name) for name in named}
    assert sorted(name for name in plain if name not in _WORDS or "{" in _WORDS[name][0]) == []


@pytest.mark.parametrize("key", _WORDS)
def test_every_word_is_there_in_every_language_with_the_same_fields(key: str) -> None:
    texts = [word(key, locale) for locale in LOCALES]
    assert all(texts)
    fields = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in texts]
    assert fields[0] == fields[1] == fields[2]


def test_what_a_number_counts_is_said_in_every_language() -> None:
    """Of the tables that are shown with it; and no translation is left of a sentence that is gone."""
    shown = (
        "health",
        "audience",
        "users",
        "goals",
        "credit",
        "communications",
        "messages",
        "delivery_issues",
        *("points", "branches", "waiting", "waiting_times", "response_times", "drops", "paths", "variants"),
    )
    tables = [definitions.TABLES[name] for name in shown]
    numbers = [
        column
        for table in tables
        for column in table.columns.values()
        if not column.unit.startswith(("text", "time"))
    ]
    said = (
        {column.counts for column in numbers}
        | {column.clock for column in numbers}
        | {t.clock for t in tables}
    )
    said |= {part for column in numbers for part in (column.numerator, column.denominator) if part}
    said |= set(definitions._ADDED.values())
    said -= {"", definitions.DESIGN} | {part for part in said if part.isidentifier()}
    reported = [
        definitions.explain(f"{name}.{column}")
        for name in ("health", "audience", "goals", "communications", "messages", "points", "delivery_issues",
                     "campaign_statistics")
        for column in definitions.columns_of(name)
    ]  # fmt: skip
    said |= {text for told in reported for text in (told.counts, told.unit, told.clock)}
    said |= {told.counts for name in panels._ELSEWHERE.values() if (told := definitions.found(name))}
    assert sorted(said - set(_MEANINGS)) == []
    every = {c.counts for table in definitions.TABLES.values() for c in table.columns.values()}
    assert sorted(set(_MEANINGS) - said - every) == []
    assert all(len(texts) == 2 and all(texts) for texts in _MEANINGS.values())


def test_an_unknown_word_names_the_nearest() -> None:
    with pytest.raises(KeyError, match="did you mean 'entered'"):
        word("entred")
    assert column("entred") == "Entred"
    assert value("entred") == "entred"


@given(st.one_of(st.none(), st.integers(-(10**15), 10**15), st.floats(allow_nan=True, allow_infinity=True)))
def test_any_number_can_be_read_in_any_language(number: float | None) -> None:
    for locale in LOCALES:
        for read in (format.number, format.compact, format.signed, format.duration, format.money):
            assert read(number, locale=locale)
        assert format.percent(number, locale)
        assert format.change(number, locale)


@given(st.integers(-(10**12), 10**12))
def test_a_compact_number_is_short_and_near(number: int) -> None:
    text = format.compact(number)
    assert len(text.lstrip("−")) <= 6
    units = {"k": 10**3, "M": 10**6, "B": 10**9}
    found = re.fullmatch(r"(−?)([\d,.]+)([kMB]?)", text)
    assert found is not None
    back = float(found[2].replace(",", "")) * units.get(found[3], 1) * (-1 if found[1] else 1)
    assert abs(back - number) <= abs(number) * 0.005


@given(st.integers(-(10**9), 10**9))
def test_whole_numbers_keep_their_digits(number: int) -> None:
    for locale in LOCALES:
        assert int(re.sub(r"[^\d−]", "", format.number(number, locale)).replace("−", "-")) == number
