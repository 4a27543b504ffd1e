"""Draw the README's picture: a part of the welcome journey with the numbers of the demo's 20,000 users."""

from __future__ import annotations

import re
from pathlib import Path

import journey_nb as jn
from journey_nb.simulate import simulate

FIRST, BELOW = "first_look", "settle"  # the part begins with this card and ends above that one


def part(svg: str) -> str:
    """The picture cut to the part that is shown."""
    down = float(re.search(r'<g transform="translate\([\d.]+ ([\d.]+)\)', svg)[1])
    top, end = (
        down + float(re.search(rf'data-point="{p}" transform="translate\([\d.]+ ([\d.]+)', svg)[1])
        for p in (FIRST, BELOW)
    )
    wide = re.search(r'<svg[^>]*? width="(\d+)"', svg)[1]
    box = f'width="{wide}" height="{end - top:g}" viewBox="0 {top - 24:g} {wide} {end - top:g}"'
    return re.sub(r'width="\d+" height="\d+" viewBox="[^"]+"', box, svg, count=1)


if __name__ == "__main__":
    journey = jn.Journey.sample("welcome")
    log = simulate(journey, users=20_000)
    stats = jn.JourneyStats(journey, log).version(2)  # one version, so that every arrow adds up
    for theme in ("light", "dark"):
        picture = part(jn.canvas(stats, theme=theme).svg)
        Path(__file__).with_name(f"canvas-{theme}.svg").write_text(picture, encoding="utf-8")
