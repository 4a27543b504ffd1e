"""The journey document: what holds, what does not, and that nothing is lost on the way round."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_nb.journey import (
    BRANCH_KEYS,
    CHANNELS,
    POINT_TYPES,
    SCHEMA,
    Journey,
    JourneyError,
    json_schema,
    near,
)

DOCUMENT: dict[str, Any] = {
    "format": "journey/1",
    "journey_id": "5f0c",
    "title": "Welcome",
    "status": "running",
    "entry_type": "trigger",
    "launched_at": "2024-05-01T09:00:00+02:00",
    "timezone": "Europe/Paris",
    "goals": [{"goal_id": "buy", "title": "Purchase", "conversion_days": 7, "ends_journey": True}],
    "cancel_events": ["unsubscribed"],
    "versions": [
        {
            "version": 1,
            "published_at": "2024-05-01T00:00:00Z",
            "points": [
                {"point_id": "in", "type": "entry_trigger", "position": {"x": 1, "y": 2.5}},
                {"point_id": "split", "type": "split_abn"},
                {"point_id": "mail", "type": "message", "channel": "email", "settings": {"subject": None}},
                {"point_id": "wait", "type": "delay"},
                {"point_id": "out", "type": "exit"},
            ],
            "branches": [
                {"source": "in", "target": "split"},
                {"source": "split", "target": "mail", "key": "variant:A", "share": 50},
                {"source": "split", "target": "out", "key": "variant:B", "share": 50.05, "control": True},
                {"source": "mail", "target": "wait"},
                {"source": "wait", "target": "out"},
            ],
        }
    ],
}


def changed(**places: Any) -> dict[str, Any]:
    """The document with values put at dotted places."""
    document = copy.deepcopy(DOCUMENT)
    for place, value in places.items():
        *path, last = place.split("__")
        item: Any = document
        for step in path:
            item = item[int(step) if step.isdigit() else step]
        item[int(last) if last.isdigit() else last] = value
    return document


def faults(document: Any) -> list[str]:
    with pytest.raises(JourneyError) as caught:
        Journey.from_json(json.dumps(document))
    return [str(fault) for fault in caught.value.faults]


def test_a_document_that_holds_is_read() -> None:
    journey = Journey.from_json(json.dumps(DOCUMENT))
    version = journey.version()
    assert [branch.target for branch in version.outgoing("split")] == ["mail", "out"]
    assert [branch.source for branch in version.incoming("out")] == ["split", "wait"]
    assert version.point("mail").channel == "email"
    assert version.point("in").is_entry
    assert not version.point("out").is_entry
    assert journey.goal("buy").conversion_days == 7
    assert journey.warnings() == []


def test_the_round_trip_is_exact_and_keeps_unknown_keys(tmp_path: Any) -> None:
    document = changed(
        owner={"team": "growth", "since": None},
        reviewed_by=None,
        versions__0__points__2__audience=[1, 2, None],
        versions__0__branches__0__colour="red",
        goals__0__currency="EUR",
        versions__0__points__0__position={"x": 1, "y": 2, "pinned": True},
    )
    journey = Journey.from_json(json.dumps(document))
    text = journey.to_json()
    assert Journey.from_json(text) == journey
    assert Journey.from_json(text).to_json() == text
    kept = json.loads(text)
    assert kept["owner"] == {"team": "growth", "since": None}
    assert kept["reviewed_by"] is None
    assert "category" not in kept
    assert kept["versions"][0]["points"][2]["audience"] == [1, 2, None]
    assert kept["versions"][0]["points"][2]["settings"] == {"subject": None}
    assert kept["versions"][0]["branches"][0]["colour"] == "red"
    assert kept["goals"][0]["currency"] == "EUR"
    assert kept["versions"][0]["points"][0]["position"]["pinned"] is True
    path = journey.write(tmp_path / "welcome.journey.json")
    assert Journey.read(path) == journey
    assert [file.name for file in tmp_path.iterdir()] == ["welcome.journey.json"]


TITLES = [
    "x" * 1_000_000,
    "<script>alert(1)</script>",
    "]]>",
    "\"quoted\" 'too'",
    "مرحبا",
    "여정",
    "👩‍👩‍👧‍👦",
    "\u202eRTL",
    " ",
]


@pytest.mark.parametrize("title", TITLES, ids=lambda title: ascii(title[:12]))
def test_any_title_survives(title: str) -> None:
    journey = Journey.from_json(json.dumps(changed(title=title, versions__0__points__0__title=title)))
    assert Journey.from_json(journey.to_json()).title == title
    assert Journey.from_json(journey.to_json()).version().points[0].title == title


@given(st.text(), st.text(min_size=1))
def test_any_text_survives(title: str, goal_id: str) -> None:
    document = changed(title=title, goals__0__goal_id=goal_id)
    journey = Journey.model_validate(document)
    assert journey.goal(goal_id).goal_id == goal_id
    assert Journey.from_json(journey.to_json()) == journey


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ({"journey_id": ""}, "journey_id: string should have at least 1 character"),
        ({"format": "journey/2"}, "format: unknown value 'journey/2'; did you mean 'journey/1'?"),
        ({"status": "runing"}, "status: unknown value 'runing'; did you mean 'running'?"),
        ({"entry_type": 3}, "entry_type: unknown value 3"),
        ({"timezone": "Europe/Pariss"}, "timezone: unknown time zone 'Europe/Pariss'"),
        ({"timezone": "../etc/passwd"}, "timezone: unknown time zone"),
        ({"launched_at": "soon"}, "launched_at: input should be a valid datetime"),
        ({"goals__0__conversion_days": 91}, "goals.0.conversion_days: input should be less than or equal to 90"),
        ({"goals": [{"goal_id": "a"}, {"goal_id": "a"}]}, "goals: goal id 'a' stands 2 times"),
        ({"versions": []}, "versions: no version"),
        ({"versions": None}, "versions: no version"),
        ({"versions__0__version": 0}, "versions.0.version: input should be greater than or equal to 1"),
        ({"versions__0__points__2__type": "mesage"}, "unknown value 'mesage'; did you mean 'message'?"),
        ({"versions__0__points__2__channel": None}, "message 'mail' has no channel"),
        ({"versions__0__points__2__channel": "emial"}, "unknown value 'emial'; did you mean 'email'?"),
        ({"versions__0__points__2__point_id": "wait"}, "point id 'wait' stands 2 times"),
        ({"versions__0__branches__3__target": "wiat"}, "branches.3.target: no point 'wiat'; did you mean 'wait'?"),
        ({"versions__0__branches__3__source": "gone"}, "branches.3.source: no point 'gone'"),
        ({"versions__0__branches__2__key": "variant:A"}, "(source, key) ('split', 'variant:A') stands 2 times"),
        ({"versions__0__branches__2__key": "variant:"}, "'variant:' is no branch of split_abn"),
        ({"versions__0__branches__3__key": "opend"}, "'opend' is no branch of message; did you mean 'opened' or"),
        ({"versions__0__branches__4__source": "out"}, "'default' is no branch of exit"),
        ({"versions__0__branches__1__share": 51}, "shares add up to 101.05"),
        ({"versions__0__branches__1__share": None}, "a branch has no share"),
        ({"versions__0__branches__1__share": -1}, "a branch has no share"),
    ],
    ids=str,
)  # fmt: skip
def test_a_fault_is_told_with_its_place_and_its_mend(places: dict[str, Any], told: str) -> None:
    found = faults(changed(**places))
    assert any(told in fault for fault in found), found
    assert all(fault.endswith(")") and ": " in fault for fault in found)


@pytest.mark.parametrize("zone", ["Factory", "localtime", "posix/Europe/Paris", "right/UTC", ""])
def test_a_zone_that_periods_cannot_be_cut_in_is_a_fault(zone: str) -> None:
    assert any("timezone: unknown time zone" in fault for fault in faults(changed(timezone=zone)))


def test_a_moment_without_an_offset_is_utc() -> None:
    moments = dict.fromkeys(("created_at", "launched_at", "finished_at"), "2026-03-01T09:00:00")
    journey = Journey.model_validate(changed(**moments, versions__0__published_at="2026-03-01T09:00:00"))
    read = [getattr(journey, name) for name in moments] + [journey.versions[0].published_at]
    assert read == [datetime(2026, 3, 1, 9, tzinfo=UTC)] * 4
    offset = Journey.model_validate(changed(launched_at="2026-03-01T09:00:00+02:00")).launched_at
    assert offset == datetime(2026, 3, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("places", "where"),
    [
        ({"title": "a\ud800"}, "title"),
        ({"tags": ["\udfff"]}, "tags.0"),
        ({"versions__0__points__1__settings": {"deep": [{"er": "\ud800"}]}}, "settings.deep.0.er"),
        ({"versions__0__points__1__settings": {"\ud800": 1}}, "settings, a key"),
    ],
)
def test_a_text_that_cannot_be_encoded_is_a_fault(places: dict[str, Any], where: str) -> None:
    text = json.dumps(changed(**places))
    with pytest.raises(JourneyError, match=rf"{where}: .* cannot be encoded") as told:
        Journey.from_json(text)
    str(told.value).encode()
    with pytest.raises(JourneyError, match="cannot be encoded"):
        Journey.model_validate(json.loads(text))


@pytest.mark.parametrize("depth", [90, 110, 300, 5000])
def test_a_document_nested_too_deep_is_a_fault_and_any_other_is_written_again(depth: int) -> None:
    text = json.dumps(changed(odd=0)).replace('"odd": 0', '"odd": ' + "[" * depth + "]" * depth)
    if depth > 100:
        with pytest.raises(JourneyError, match="nested too deep"):
            Journey.from_json(text)
    else:
        journey = Journey.from_json(text)
        assert Journey.from_json(journey.to_json()) == journey


def test_a_journey_is_shown_by_its_title_and_size() -> None:
    assert (
        repr(Journey.sample("welcome"))
        == str(Journey.sample("welcome"))
        == "Welcome series: 2 versions, 15 points"
    )


def test_all_faults_are_told_at_once() -> None:
    document = changed(
        status="runing",
        timezone="Mars/Base",
        versions__0__points__2__channel=None,
        versions__0__branches__3__target="nowhere",
        versions__0__branches__1__share=10,
    )
    told = "\n".join(faults(document))
    assert "5 faults" in str(JourneyError(faults(document)))  # type: ignore[arg-type]
    for part in ("runing", "Mars/Base", "no channel", "nowhere", "shares add up"):
        assert part in told
    with pytest.raises(JourneyError):
        Journey.model_validate(document)


def test_shares_may_miss_a_hundred_by_a_tenth() -> None:
    Journey.model_validate(changed(versions__0__branches__1__share=49.86))
    assert faults(changed(versions__0__branches__1__share=49.8))


@pytest.mark.parametrize(
    ("shares", "holds"), [((33.3,) * 3, True), ((33.4, 33.4, 33.3), True), ((33.2, 33.3, 33.3), False)]
)
def test_a_tenth_is_no_more_than_a_tenth_whatever_floats_make_of_it(
    shares: tuple[float, ...], holds: bool
) -> None:
    points = [{"point_id": "split", "type": "split_abn"}, {"point_id": "end", "type": "exit"}]
    ways = [
        {"source": "split", "target": "end", "key": f"variant:{at}", "share": share}
        for at, share in enumerate(shares)
    ]
    document = {"journey_id": "j", "versions": [{"version": 1, "points": points, "branches": ways}]}
    if holds:
        Journey.model_validate(document)
    else:
        assert any("shares add up to 99.8" in fault for fault in faults(document))


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ({"A": 60, "B": 50}, "settings.shares: split 'split': shares add up to 110"),
        ({"A": "half", "B": 50}, "settings.shares: split 'split': a branch has no share"),
        ([50, 50], "settings.shares: split 'split': a branch has no share"),
        ({"A": 60, "B": 40}, None),
    ],
)
def test_shares_in_the_settings_of_a_split_hold_as_well(shares: Any, told: str | None) -> None:
    split = {"point_id": "split", "type": "split_abn", "settings": {"shares": shares}}
    points = [split, {"point_id": "end", "type": "exit"}]
    ways = [{"source": "split", "target": "end", "key": f"variant:{name}"} for name in "AB"]
    document = {"journey_id": "j", "versions": [{"version": 1, "points": points, "branches": ways}]}
    if told:
        assert any(told in fault for fault in faults(document)), faults(document)
    else:
        Journey.model_validate(document)


def test_a_cycle_needs_a_wait() -> None:
    back = {"source": "mail", "target": "mail", "key": "opened"}
    loop = changed(versions__0__branches=[*DOCUMENT["versions"][0]["branches"], back])
    assert any("a cycle without a wait: mail → mail" in fault for fault in faults(loop))
    other = {"source": "out", "target": "out", "key": "default"}
    told = faults(changed(versions__0__branches=[*loop["versions"][0]["branches"], other]))
    assert any("wait: mail → mail" in fault for fault in told)
    assert any("wait: out → out" in fault for fault in told), "each is told, not the first alone"
    waiting = changed(versions__0__branches__4__target="mail")
    Journey.model_validate(waiting)
    Journey.model_validate({**loop, "origin": "discovered"})


def test_a_long_chain_needs_no_deep_stack() -> None:
    points = [{"point_id": f"p{i}", "type": "update_profile"} for i in range(5000)]
    branches = [{"source": f"p{i}", "target": f"p{i + 1}"} for i in range(4999)]
    journey = {"journey_id": "long", "versions": [{"version": 1, "points": points, "branches": branches}]}
    assert len(Journey.model_validate(journey).points()) == 5000
    branches.append({"source": "p4999", "target": "p0"})
    assert any("cycle" in fault for fault in faults(journey))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"journey"', "null", b"\xff\xfe{}", "[" * 100_000])
def test_what_is_no_document_is_refused_in_words(text: str | bytes) -> None:
    with pytest.raises(JourneyError, match="document"):
        Journey.from_json(text, source="x.journey.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PLACES = ["versions", "goals", "versions__0", "versions__0__points", "versions__0__branches", "versions__0__points__0",
          "versions__0__points__0__point_id", "versions__0__branches__0", "versions__0__branches__0__source",
          "versions__0__branches__1__share", "timezone", "origin", "cancel_events", "goals__0"]  # fmt: skip


@given(st.sampled_from(PLACES), JSON)
def test_a_document_with_anything_anywhere_is_read_or_refused_in_words(place: str, value: Any) -> None:
    document = changed(**{place: value})
    try:
        journey = Journey.from_json(json.dumps(document))
    except JourneyError:
        return
    assert Journey.from_json(journey.to_json()) == journey


def test_oddities_are_warned_of() -> None:
    lonely = {"point_id": "lonely", "type": "webhook"}
    journey = Journey.model_validate(
        changed(versions__0__points=[*DOCUMENT["versions"][0]["points"], lonely])
    )
    assert [str(fault) for fault in journey.warnings()] == [
        "versions.0: nothing leads to 'lonely' (connect it or remove it)"
    ]
    entered = Journey.model_validate(changed(versions__0__points__0__type="webhook"))
    assert "no entry point" in str(entered.warnings()[0])


def test_versions_and_points() -> None:
    second = copy.deepcopy(DOCUMENT["versions"][0])
    second.update(version=2, published_at=None)
    second["points"][2]["title"] = "New mail"
    second["points"].append({"point_id": "new", "type": "exit"})
    journey = Journey.model_validate(changed(versions=[DOCUMENT["versions"][0], second]))
    assert journey.version().version == 1, "a draft version is not the shown one"
    assert list(journey.points())[-1] == "new"
    assert journey.points()["mail"].label == "mail"
    assert journey.points(2)["mail"].label == "New mail"
    with pytest.raises(KeyError, match="has no version 3; there are 1, 2"):
        journey.version(3)
    with pytest.raises(KeyError, match="did you mean 'mail'"):
        journey.version().point("mial")
    assert journey.point("mail") == journey.points()["mail"]
    with pytest.raises(KeyError, match="has no point 'mial'; did you mean 'mail'"):
        journey.point("mial")
    with pytest.raises(KeyError, match="has no goal"):
        journey.goal("sell")


def test_every_point_type_has_its_branch_keys() -> None:
    assert set(BRANCH_KEYS) == set(POINT_TYPES)
    assert CHANNELS[-1] == "other"


def test_the_published_schema_is_the_model() -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert published == json_schema()
    assert published["title"] == "journey/1"
    assert set(published["$defs"]["Point"]["properties"]["type"]["enum"]) == set(POINT_TYPES)


def test_near() -> None:
    assert near("emial", ["email", "push"]) == "; did you mean 'email'?"
    assert near("zzz", ["email"]) == ""
    for known in (["user_id", "USER_ID"], ["USER_ID", "user_id"]):  # either may be meant
        assert near("User_id", known) == f"; did you mean {known[0]!r} or {known[1]!r}?"
