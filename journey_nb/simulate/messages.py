"""What happens at a message: who gets it and when, what people do with it, and what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from journey_nb.events.words import SKIPS
from journey_nb.simulate.arrays import Array, chosen
from journey_nb.simulate.behaviour import Response, response_at
from journey_nb.simulate.clock import DAY, HOUR, MINUTE, NEVER, SECOND
from journey_nb.simulate.visit import Stay, Visit

# What goes wrong on which channel, the most frequent first.
FAILURES: Mapping[str, tuple[str, ...]] = {
    "push": ("token_invalid", "app_uninstalled", "provider_error", "send_unknown"),
    "web_push": ("token_invalid", "provider_error", "send_unknown"),
    "email": ("address_invalid", "provider_error", "gateway_blocked", "send_unknown"),
    "sms": ("carrier_rejected", "gateway_blocked", "address_invalid", "provider_error"),
    "in_app": ("app_uninstalled", "provider_error"),
    "whatsapp": ("address_invalid", "gateway_blocked", "carrier_rejected", "provider_error"),
}
BOUNCES: Mapping[str, tuple[str, ...]] = {
    "push": ("token_invalid", "app_uninstalled"),
    "email": ("hard_bounce", "gateway_blocked"),
    "sms": ("carrier_rejected",),
}
SKIPPED: Mapping[str, tuple[str, ...]] = {
    "push": (
        "opted_out",
        "frequency_capped",
        "not_reachable",
        "quiet_hours_lapsed",
        "duplicate",
        "skip_unknown",
    ),
    "email": ("opted_out", "frequency_capped", "content_aborted", "filtered", "duplicate", "skip_unknown"),
    "in_app": ("frequency_capped", "content_aborted", "not_reachable", "filtered"),
}
OTHER_SKIPS = tuple(word for word in SKIPS if word not in ("control_group", "no_device"))
DEVICE_CHANNELS = ("push", "web_push", "in_app")


def message(visit: Visit) -> Stay:
    """Hold the message, skip it, fail or send it; runs go on at once, or when they see it."""
    runs, luck, reasons = visit.runs, visit.runs.luck, visit.runs.log.reasons
    count, channel, user = len(visit.run), _channel(visit), runs.user[visit.run]
    response = response_at(visit.point, channel, runs.act)
    at = _held(visit)
    held_out, devices = runs.people.held_out[user], runs.people.devices[user]
    unreachable = (devices == 0) & (channel in DEVICE_CHANNELS)
    dice = luck.random(count)
    skipped = held_out | unreachable | (dice < response.skipped)
    failed = ~skipped & (dice < response.skipped + response.failed)
    alive = visit.alive(at)

    skips = reasons.drawn(SKIPPED.get(channel, OTHER_SKIPS), luck.random(count))
    skips = np.where(unreachable, reasons["no_device"], skips)
    skips = np.where(held_out, reasons["control_group"], skips)
    told = held_out | luck.some(count, 0.8)
    visit.tell("point.skipped", skipped & ~told, at, skips)
    refused, broken = alive & skipped & told, alive & failed
    visit.tell("message.skipped", refused, at, skips, **_columns(visit, refused))
    failures = reasons.drawn(FAILURES.get(channel, ("provider_error", "send_unknown")), luck.random(count))
    visit.tell("message.failed", broken, at, failures, **_columns(visit, broken))

    sent = alive & ~skipped & ~failed
    seen, got = np.full(count, NEVER), np.full(count, NEVER)
    seen[sent], got[sent] = _Sending(visit, sent, at, response).outcome()
    twice = sent & (devices == 2) & (channel in ("push", "web_push"))
    _Sending(visit, twice, at, response, device=2).outcome()
    stay = _after(visit, at, sent, seen, got)
    fatal = failed & luck.some(count, runs.act.fatal)
    return stay._replace(error=np.where(fatal, failures, 0))


def _channel(visit: Visit) -> str:
    return visit.point.channel or "other"


def _held(visit: Visit) -> Array:
    """When the message goes out: at once, at its hour, or when the night is over."""
    settings, clock, luck = visit.point.settings, visit.runs.clock, visit.runs.luck
    count = len(visit.run)
    at = visit.at + luck.integers(20_000, 3 * SECOND, count)
    if "send_time" in settings:
        due = clock.next(at, settings["send_time"])
        visit.wait(at, due, "send_time")
        at = due + luck.integers(0, 90 * SECOND, count)
    if "silent_hours" in settings:
        opens, closes = settings["silent_hours"]
        night, due = clock.within(at, opens, closes), clock.next(at, closes)
        visit.wait(at, due, "silent_hours", night)
        at = np.where(night, due + luck.integers(0, 90 * SECOND, count), at)
    odd, due = luck.some(count, 0.0005), at + 5 * MINUTE
    visit.wait(at, due, "wait_unknown", odd)
    return np.where(odd, due, at)


def _columns(visit: Visit, here: Array, device: int = 1) -> dict[str, Any]:
    """What every row says of a message; some of the runs have a new one each."""
    runs, channel = visit.runs, _channel(visit)
    return {
        "channel": runs.log.channels[channel],
        "message": runs.log.new_messages(here),
        "variant": runs.variant[visit.run],
        "device": runs.device(visit.run, device) if channel in DEVICE_CHANNELS else 0,
    }


def _after(visit: Visit, at: Array, sent: Array, seen: Array, got: Array) -> Stay:
    """Go on at once, or wait to see whether the message arrives or is opened where the point asks."""
    leave = at + visit.runs.luck.integers(10_000, SECOND, len(at))
    keys, settings = visit.keys, visit.point.settings
    if "opened" in keys or "not_opened" in keys:
        yes, no, moment, default = "opened", "not_opened", seen, DAY
    elif "delivered" in keys or "not_delivered" in keys:
        yes, no, moment, default = "delivered", "not_delivered", got, HOUR
    else:
        return visit.stay(leave)
    span = {name: value for name, value in settings.items() if name in ("days", "hours", "minutes")}
    due = visit.runs.clock.due(at, span, default)
    visit.wait(at, due, "engagement", sent)
    in_time = sent & (moment <= due)
    end = np.where(in_time, np.maximum(moment, at + 1), np.where(sent, visit.late(due), leave))
    return visit.stay(end, visit.either(in_time, yes, no))


class _Sending:
    """A message to each of some runs, sent, and all that comes of it."""

    def __init__(self, visit: Visit, here: Array, at: Array, response: Response, device: int = 1) -> None:
        self.runs, self.luck, self.act, self.log = visit.runs, visit.runs.luck, visit.runs.act, visit.runs.log
        self.channel, self.response = _channel(visit), response
        self.run, self.at = visit.run[here], at[here]
        self.columns = visit.row(here, at) | chosen(_columns(visit, here, device), here)

    def outcome(self) -> tuple[Array, Array]:
        """When people opened (or clicked, or interacted), and when the message arrived."""
        at, response = self.at, self.response
        self._tell("message.sent", np.ones(len(at), dtype=np.bool_), at)
        self.runs.stir(self.run, at, self.act.after_send, DAY)
        bounced, words = self._some(response.bounced), BOUNCES.get(self.channel, ("provider_error",))
        bounce = self.log.reasons.drawn(words, self.luck.random(len(at)))
        told = {"reason": bounce, "detail": self.log.vendor[bounce]}
        self._tell("message.failed", bounced, at + self._spread(2 * MINUTE), **told)
        arrived = ~bounced & self._some(response.delivered)
        got = at + self._spread(4 * SECOND)
        seen = got + self._spread(round(response.minutes * MINUTE), 1.3)
        if self.channel == "in_app":
            return self._shown(arrived, seen)
        self._tell("message.delivered", arrived, got)
        return self._answered(arrived, got, seen), np.where(arrived, got, NEVER)

    def _answered(self, arrived: Array, got: Array, seen: Array) -> Array:
        """What people do with a message that has arrived; gives when they opened it, or clicked."""
        response, tell, liked, spread = self.response, self._tell, self._liked, self._spread
        opened = liked(response.opened, arrived)
        if response.opened:
            machine = arrived & self._some(response.machine)
            tell("message.opened", machine, got + spread(20 * SECOND), machine=2)
            # A few clicks come without the open that a blocked image would have told of.
            tell("message.opened", opened & self._some(0.97), seen, machine=1)
            again = seen + spread(10 * HOUR)
            tell("message.opened", opened & self._some(0.15), again, machine=1)
        readers = opened if response.opened else arrived
        clicked, click = liked(response.clicked, readers), seen + spread(15 * SECOND)
        tell("message.clicked", clicked, click, machine=1)
        tell("message.clicked", clicked & self._some(0.1), click + spread(MINUTE), machine=1)
        replied, reply = liked(response.replied, readers), seen + spread(3 * MINUTE)
        tell("message.replied", replied, reply)
        tell("message.unsubscribed", liked(response.unsubscribed, readers), seen + spread(30 * SECOND))
        tell("message.complained", liked(response.complained, readers), seen + spread(40 * SECOND))
        self._stir(opened, seen, self.act.after_open, 3 * HOUR)
        self._stir(clicked, click, self.act.after_click, 25 * MINUTE)
        self._stir(replied, reply, self.act.after_click, HOUR)
        return np.where(opened, seen, np.where(clicked, click, NEVER))

    def _shown(self, shown: Array, seen: Array) -> tuple[Array, Array]:
        """An in-app message: shown when people next come, interacted with or dismissed."""
        self._tell("message.impression", shown, seen)
        self._tell("message.impression", shown & self._some(0.08), seen + self._spread(DAY))
        interacted = self._liked(self.response.interacted, shown)
        answer = seen + self._spread(8 * SECOND)
        self._tell("message.interacted", interacted, answer)
        dismissed = shown & self._some(np.where(interacted, 0.2, self.response.dismissed))
        self._tell("message.dismissed", dismissed, answer + self._spread(4 * SECOND))
        self._stir(interacted, answer, self.act.after_click, 20 * MINUTE)
        return np.where(interacted, answer, NEVER), np.where(shown, seen, NEVER)

    def _tell(self, kind: str, which: Array, times: Array, **more: Any) -> None:
        columns = chosen(self.columns | more, which)
        self.log.add(kind, self.run[which], times[which], **columns)

    def _stir(self, which: Array, times: Array, share: float, median: int) -> None:
        self.runs.stir(self.run[which], times[which], share, median)

    def _some(self, share: float | Array) -> Array:
        return self.luck.some(len(self.run), share)

    def _liked(self, share: float, among: Array) -> Array:
        """A share of some, larger among those who like the journey."""
        return among & self._some(np.minimum(share * self.runs.appeal[self.run], 0.97))

    def _spread(self, median: int, sigma: float = 0.9) -> Array:
        return self.luck.spread(median, len(self.run), sigma)
