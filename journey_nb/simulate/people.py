"""Who the people are: the same ones by the same seed, whatever the size of the audience."""

from __future__ import annotations

import numpy as np
import polars as pl

from journey_nb.reading import filled
from journey_nb.simulate.arrays import Array
from journey_nb.simulate.luck import by_shares, own_chance
from journey_nb.simulate.scenario import Scenario

# Who pays answers more: so that the attributes of the audience tell something.
PLANS = ("free", "plus", "business")
PLAN_SHARES = (0.71, 0.22, 0.07)
PLAN_APPEAL = np.array([1.0, 1.25, 1.5])


def audience(users: int, seed: int = 0) -> pl.DataFrame:
    """The made-up people of a simulation: one row per user and their attributes.

    Examples
    --------
    >>> from journey_nb.simulate import audience
    >>> audience(3).columns
    ['user_id', 'country', 'language', 'platform', 'plan', 'age_group']
    """
    people = np.arange(users)

    def drawn(salt: str, words: tuple[str, ...], shares: tuple[float, ...]) -> pl.Series:
        which = by_shares(own_chance(people, seed, salt), shares)
        return pl.Series(words, dtype=pl.String).gather(which)

    country = drawn("country", ("FR", "DE", "ES", "IT", "GB", "PL"), (0.42, 0.18, 0.13, 0.11, 0.10, 0.06))
    languages = {"FR": "fr", "DE": "de", "ES": "es", "IT": "it", "GB": "en", "PL": "pl"}
    return pl.DataFrame(
        {
            "user_id": user_ids(0, users),
            "country": country,
            "language": country.replace_strict(languages, return_dtype=pl.String),
            "platform": drawn("platform", ("Android", "iOS", "Web"), (0.52, 0.39, 0.09)),
            "plan": drawn("plan", PLANS, PLAN_SHARES),
            "age_group": drawn("age", ("18–24", "25–34", "35–49", "50+"), (0.17, 0.34, 0.31, 0.18)),
        }
    )


class People:
    """The people of a chunk, and what holds for each of them at any time."""

    def __init__(self, scenario: Scenario, first: int, last: int) -> None:
        act = scenario.behaviour
        self.seed, self.first, self.last = scenario.seed, first, last
        self.numbers = np.arange(first, last)
        self.joins = self.chance("joins") < act.joins
        self.held_out = self.chance("holdout") < act.holdout
        self.appeal = PLAN_APPEAL[by_shares(self.chance("plan"), PLAN_SHARES)]
        devices = self.chance("devices")
        few = [devices < act.no_device, devices < act.no_device + act.second_device]
        self.devices = np.select(few, [0, 2], 1)

    def chance(self, salt: str, user: Array | slice = slice(None)) -> Array:
        """A person's own chance, the same each time it is asked for."""
        return own_chance(self.numbers[user], self.seed, salt)

    def device_ids(self) -> pl.Series:
        """Two for each of the people, whether they have them or not."""
        number = (pl.int_range(self.first * 2, self.last * 2) // 2).cast(pl.String).str.zfill(7)
        place = pl.int_range(self.first * 2, self.last * 2) % 2
        return pl.select(filled("d{}-{}", number, (place + 1).cast(pl.String))).to_series()


def user_ids(first: int, last: int) -> pl.Series:
    """What the people of those numbers are called."""
    return pl.select(pl.lit("u") + pl.int_range(first, last).cast(pl.String).str.zfill(7)).to_series()
