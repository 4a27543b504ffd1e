"""What people are like: how they answer messages, and what else they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from journey_nb.journey import Point


@dataclass(frozen=True)
class Response:
    """How people answer the messages of a channel: shares of 0 to 1, and a median in minutes.

    ``delivered`` is a share of the messages sent (in-app: shown); ``opened`` and ``machine`` are
    shares of those delivered, ``clicked``, ``replied``, ``unsubscribed`` and ``complained`` of those
    opened; ``interacted`` and ``dismissed`` of those shown.
    """

    failed: float = 0.012
    bounced: float = 0.004
    skipped: float = 0.02
    delivered: float = 0.97
    opened: float = 0.0
    machine: float = 0.0
    clicked: float = 0.0
    interacted: float = 0.0
    dismissed: float = 0.0
    replied: float = 0.0
    unsubscribed: float = 0.0
    complained: float = 0.0
    minutes: float = 60.0


RESPONSES: Mapping[str, Response] = {
    "push": Response(delivered=0.94, opened=0.09, clicked=0.35, skipped=0.03, unsubscribed=0.01, minutes=25),
    "web_push": Response(
        delivered=0.90, opened=0.06, clicked=0.45, skipped=0.03, unsubscribed=0.02, minutes=20
    ),
    "email": Response(
        bounced=0.006,
        opened=0.25,
        machine=0.22,
        clicked=0.12,
        unsubscribed=0.012,
        complained=0.001,
        minutes=190,
    ),
    "sms": Response(delivered=0.96, skipped=0.015, minutes=12),
    "in_app": Response(failed=0.004, bounced=0, delivered=0.62, interacted=0.21, dismissed=0.55, minutes=300),
    "whatsapp": Response(
        delivered=0.95, opened=0.66, clicked=0.11, replied=0.04, unsubscribed=0.008, minutes=45
    ),
    "line": Response(delivered=0.97, opened=0.55, clicked=0.08, minutes=40),
    "kakao": Response(delivered=0.97, opened=0.50, clicked=0.07, minutes=40),
    "webhook": Response(delivered=0.99, skipped=0.005, minutes=1),
    "other": Response(delivered=0.95, opened=0.15, clicked=0.15, minutes=90),
}


@dataclass(frozen=True)
class Behaviour:
    """What the invented people do; shares of 0 to 1 unless said.

    A point may have its own way: ``settings["behaviour"]`` takes the fields of :class:`Response` on
    a message, ``triggered`` on a wait for a trigger, ``yes`` on a condition, ``reachable`` on a
    reachability check and ``lift`` (branch key → factor) on an A/B/n split.

    Examples
    --------
    >>> from journey_nb.simulate import Behaviour
    >>> Behaviour(goals={"purchase": 0.2}, holdout=0.0).goals["purchase"]
    0.2
    """

    responses: Mapping[str, Response] = field(default_factory=lambda: RESPONSES)
    joins: float = 0.97  # of the audience ever enter
    reentry: float = 0.12  # of finished runs are followed by another one
    holdout: float = 0.03  # users whom no message may reach (control group)
    second_device: float = 0.25
    no_device: float = 0.02
    follows: float = 0.7  # runs under way that go over to a newly published version
    triggered: float = 0.45
    yes: float = 0.4
    reachable: float = 0.82
    goal: float = 0.06  # reached without any help, per run
    goals: Mapping[str, float] = field(default_factory=dict)  # the same by goal_id
    after_click: float = 0.17  # a click, reply or interaction leads to a goal
    after_open: float = 0.035
    after_send: float = 0.006
    value: float = 45.0  # median of what a goal with a value_field is worth
    currencies: tuple[str, ...] = ("EUR",)
    cancelled: float = 0.06
    removed: float = 0.002
    timed_out: float = 0.003
    exit_criteria: float = 0.004
    error: float = 0.0006  # internal errors, per point passed
    fatal: float = 0.35  # of failed messages end the run
    stuck: float = 0.0005  # of waits never end


def own(point: Point) -> Mapping[str, Any]:
    """What a point says of the behaviour at it."""
    said = point.settings.get("behaviour")
    return said if isinstance(said, Mapping) else {}


def response_at(point: Point, channel: str, behaviour: Behaviour) -> Response:
    """How people answer the messages of a point."""
    names = {each.name for each in fields(Response)}
    usual = behaviour.responses.get(channel, RESPONSES[channel])
    return replace(usual, **{name: value for name, value in own(point).items() if name in names})
