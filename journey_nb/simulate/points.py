"""What happens at each type of point: how long runs stay, and by which branch they leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from journey_nb.journey import ENTRY_TYPES
from journey_nb.simulate.behaviour import own
from journey_nb.simulate.clock import DAY, MINUTE, SECOND
from journey_nb.simulate.luck import by_shares
from journey_nb.simulate.messages import message
from journey_nb.simulate.visit import Stay, Visit


def _instant(visit: Visit) -> Stay:
    return visit.stay(visit.at + visit.runs.luck.integers(50_000, 2 * SECOND, len(visit.run)))


def _delay(visit: Visit) -> Stay:
    due = visit.runs.clock.due(visit.at, visit.point.settings, DAY)
    visit.wait(visit.at, due, "delay")
    return visit.stay(visit.late(due))


def _trigger(visit: Visit) -> Stay:
    runs, luck, at, count = visit.runs, visit.runs.luck, visit.at, len(visit.run)
    due = runs.clock.due(at, visit.point.settings, 3 * DAY)
    visit.wait(at, due, "trigger")
    keys = [key for key in visit.keys if key.startswith("triggered_")]
    share = own(visit.point).get("triggered", runs.act.triggered)
    shares = list(share) if isinstance(share, (list, tuple)) else [share / max(len(keys), 1)] * len(keys)
    which = by_shares(luck.random(count), (*shares, max(1 - sum(shares), 0)))
    codes = runs.log.branches.numbers((*keys, *["not_triggered"] * (len(shares) - len(keys) + 1)))
    soon = at + SECOND + ((due - at) * luck.beta(0.8, 3.0, count)).astype(np.int64)
    triggered = which < len(keys)
    return visit.stay(np.where(triggered, np.minimum(soon, due), visit.late(due)), codes[which])


def _rate_limit(visit: Visit) -> Stay:
    median = round(visit.point.settings.get("minutes", 4) * MINUTE)
    due = visit.at + visit.runs.luck.spread(median, len(visit.run), 0.7)
    visit.wait(visit.at, due, "rate_limit")
    return visit.stay(visit.late(due))


def _update(visit: Visit) -> Stay:
    skipped = visit.runs.luck.some(len(visit.run), 0.004)
    visit.tell("point.skipped", skipped, visit.at, visit.runs.log.reasons["filtered"])
    return _instant(visit)


def _webhook(visit: Visit) -> Stay:
    return message(visit) if visit.point.channel else _update(visit)


def _condition(visit: Visit) -> Stay:
    yes = visit.runs.luck.some(len(visit.run), visit.share("yes", visit.runs.act.yes))
    return _instant(visit)._replace(key=visit.either(yes, "yes", "no"))


def _reachability(visit: Visit) -> Stay:
    reachable = visit.chance("reachable") < visit.share("reachable", visit.runs.act.reachable)
    return _instant(visit)._replace(key=visit.either(reachable, "reachable", "not_reachable"))


def _split(visit: Visit) -> Stay:
    """Segments and variants: by the shares of the branches, else in equal parts."""
    stay, shares = _instant(visit), [branch.share for branch in visit.branches]
    if not shares:
        return stay
    known = [1.0 if None in shares else float(share or 0) for share in shares]
    codes = visit.runs.log.branches.numbers(visit.keys)
    return stay._replace(key=codes[by_shares(visit.chance("split"), known)])


def _variant(visit: Visit) -> Stay:
    runs, stay, lifts = visit.runs, _split(visit), own(visit.point).get("lift", {})
    for number, key in enumerate(visit.keys):
        run = visit.run[stay.key == runs.log.branches[key]]
        runs.variant[run] = runs.log.variants[key.removeprefix("variant:")]
        runs.appeal[run] *= float(lifts.get(key, 1 + 0.2 * number))
    return stay


WAYS: Mapping[str, Callable[[Visit], Stay]] = {
    "delay": _delay,
    "wait_for_trigger": _trigger,
    "rate_limit": _rate_limit,
    "message": message,
    "webhook": _webhook,
    "update_profile": _update,
    "split_condition": _condition,
    "split_segment": _split,
    "split_abn": _variant,
    "reachability_check": _reachability,
    **dict.fromkeys(ENTRY_TYPES, _instant),
}
"""What happens by the type of the point; who comes to an exit leaves at once."""
