"""The register of journeys: against a small model, beside other writers, and through crashes."""

from __future__ import annotations

import getpass
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from journey_nb.journey import Journey, JourneyError, Status
from journey_nb.store import Store
from journey_nb.store.database import FORMAT, StoreError
from journey_nb.store.registry import VERBS, Registry, verbs
from journey_nb.style import word

# METRICS.md, section 10, said again: where each verb leads from each status; no entry, no way.
WAYS: dict[str, dict[str, str]] = {
    "draft": {"launch": "running", "archive": "archived"},
    "running": {"pause": "paused", "stop": "finished", "archive": "archived"},
    "paused": {"relaunch": "running", "stop": "finished", "archive": "archived"},
    "finished": {"archive": "archived"},
    "archived": {},
}
BEGAN = datetime(2026, 3, 1, 9, tzinfo=UTC)
WAITS = ("none", "one", "two")
LISTED = ("journey_id", "title", "status", "category", "created_at", "launched_at", "finished_at")


def ticking() -> Callable[[], datetime]:
    ticks = count()
    return lambda: BEGAN + timedelta(seconds=next(ticks))


def version(number: int, graph: str = "none", published: datetime | None = None) -> dict[str, Any]:
    ids = ["in", *[f"wait_{n}" for n in range(WAITS.index(graph))], "out"]
    kinds = {"in": "entry_api", "out": "exit"}
    return {
        "version": number,
        "published_at": published and published.isoformat(),
        "points": [{"point_id": name, "type": kinds.get(name, "delay")} for name in ids],
        "branches": [{"source": a, "target": b} for a, b in pairwise(ids)],
    }


def journey(journey_id: str = "j", title: str = "Welcome", *versions: dict[str, Any], **more: Any) -> Journey:
    document = {"journey_id": journey_id, "title": title, "versions": versions or [version(1)], **more}
    return Journey.from_json(json.dumps(document))


def graphs(subject: Journey) -> list[tuple[str, bool]]:
    """Of each version which graph it has, and whether it is published."""
    return [(WAITS[len(v.points) - 2], v.published_at is not None) for v in subject.versions]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def registry(path: Path) -> Registry:
    return Registry(lambda: sqlite3.connect(path), now=ticking())


# ---------------------------------------------------------------- any sequence of verbs


class Life(RuleBasedStateMachine):
    """A register and a dictionary that is told the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        file = Path(self.folder.name) / "store.sqlite"
        self.registry = Registry(lambda: sqlite3.connect(file), now=ticking())
        self.model: dict[str, dict[str, Any]] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    def label(self, key: str) -> str:
        """What a journey is called: by its id where it has no title."""
        return self.model[key]["title"] or key

    def pick(self, data: st.DataObject) -> str | None:
        """In the order in which they came: a clone's id is another in every run, and hypothesis runs some twice."""
        return data.draw(st.sampled_from(list(self.model))) if self.model else None

    def refused(self, key: str, verb: str, **given: Any) -> bool:
        """Do a verb; whether it was refused as it must be, naming every way that is open."""
        status = self.model[key]["status"]
        open_here = {*WAYS[status], "clone", "rename", *(["edit"] * (status in ("draft", "paused")))}
        subject = (given.pop("changed"),) if verb == "edit" else (key,)
        if verb in open_here:
            getattr(self.registry, verb)(*subject, by="ann", **given)
            self.model[key]["status"] = WAYS[status].get(verb, status)
            return False
        with pytest.raises(StoreError, match="possible from here: ") as caught:
            getattr(self.registry, verb)(*subject, by="ann", **given)
        assert set(str(caught.value).rpartition(": ")[2].split(", ")) == open_here
        return True

    def taken(self, key: str, verb: str, title: str) -> bool:
        """Whether a title is another's: then it is refused."""
        is_taken = title.casefold() in {
            self.label(other).casefold() for other in self.model if verb == "clone" or other != key
        }
        if is_taken:
            with pytest.raises(StoreError, match=r"(?s)there is a journey called .*another title"):
                getattr(self.registry, verb)(key, title, by="ann")
        return is_taken

    @rule(status=st.sampled_from(get_args(Status)), graph=st.sampled_from(WAITS), again=st.booleans(),
          title=st.sampled_from(["Welcome", ""]))  # fmt: skip
    def add(self, status: str, graph: str, again: bool, title: str) -> None:
        key = f"j{len(self.model)}"
        published = None if status == "draft" else BEGAN
        subject = journey(key, title, version(1, graph, published), status=status)
        for _ in range(1 + again):
            self.registry.add(subject, by="ann")
        self.model[key] = {"title": title, "status": status, "log": ["add"],
                           "versions": [(graph, status != "draft")]}  # fmt: skip

    @rule(data=st.data(), verb=st.sampled_from(["launch", "pause", "archive"]))
    def move(self, data: st.DataObject, verb: str) -> None:
        if key := self.pick(data):
            if self.refused(key, verb):
                return
            self.model[key]["log"].append(verb)
            if verb == "launch":
                self.model[key]["versions"][-1] = (self.model[key]["versions"][-1][0], True)

    @rule(data=st.data(), right=st.booleans())
    def stop(self, data: st.DataObject, right: bool) -> None:
        if key := self.pick(data):
            title = self.label(key)
            if not right and "stop" in WAYS[self.model[key]["status"]]:
                for typed in {"", title + " ", title.swapcase()} - {title}:
                    with pytest.raises(StoreError, match="confirm with its title"):
                        self.registry.stop(key, confirm=typed)
            elif not self.refused(key, "stop", confirm=title):
                self.model[key]["log"].append("stop")

    @rule(data=st.data(), graph=st.sampled_from(WAITS), how=st.sampled_from(["edit", "with", "without"]))
    def change(self, data: st.DataObject, graph: str, how: str) -> None:
        """Edit, or relaunch with or without a change."""
        if key := self.pick(data):
            entry = self.model[key]
            words = {"category": graph, "tags": [graph, "new"], "entry_type": "trigger"}
            changed = journey(key, "Welcome", version(1, graph), status="archived", **words)
            verb = "edit" if how == "edit" else "relaunch"
            was = entry["status"]
            if self.refused(key, verb, **({} if how == "without" else {"changed": changed})):
                return
            entry["log"].append(verb)
            if how != "without":
                entry["title"] = "Welcome"
                past = [] if was == "draft" else [v for v in entry["versions"] if v[1]]
                entry["versions"] = past if past and past[-1][0] == graph else [*past, (graph, False)]
            if verb == "relaunch":
                entry["versions"][-1] = (entry["versions"][-1][0], True)

    @rule(
        data=st.data(),
        title=st.one_of(st.none(), st.sampled_from(["🎈", "Robert'); DROP TABLE journey;--\n\"🎈"])),
    )
    def clone(self, data: st.DataObject, title: str | None) -> None:
        if key := self.pick(data):
            if title is not None and self.taken(key, "clone", title):
                return
            titles = set(map(self.label, self.model))
            clone = self.registry.clone(key, title, by="ann")
            assert clone.journey_id not in self.model
            assert self.registry.history(clone.journey_id)["detail"].to_list() == [
                f"of “{self.label(key)}”, {key}"
            ]
            shown = [v for v in self.model[key]["versions"] if v[1]] or self.model[key]["versions"]
            copies = [f"{self.label(key)} (copy){n}" for n in ("", *(f" {n}" for n in range(2, 30)))]
            self.model[clone.journey_id] = {
                "title": next(one for one in copies if one not in titles) if title is None else title,
                "status": "draft", "log": ["clone"], "versions": [(shown[-1][0], False)]}  # fmt: skip

    @rule(data=st.data(), title=st.sampled_from(["Hello", "J0", "🎈", "“Bye”; '\"%_\x00\u202e"]))
    def rename(self, data: st.DataObject, title: str) -> None:
        if key := self.pick(data):
            if self.taken(key, "rename", title):
                return
            before = self.label(key)
            assert not self.refused(key, "rename", title=title)
            assert self.registry.history(key)["detail"][-1] == f"“{before}” → “{title}”"
            self.model[key] |= {"title": title}
            self.model[key]["log"].append("rename")

    @invariant()
    def the_register_and_the_model_agree(self) -> None:
        listed = {row["journey_id"]: row for row in self.registry.find().iter_rows(named=True)}
        assert set(listed) == set(self.model)
        for key, entry in self.model.items():
            subject = self.registry.get(key)
            told = self.registry.history(key)
            assert (subject.title, subject.status) == (entry["title"], entry["status"])
            assert graphs(subject) == entry["versions"]
            assert [v.version for v in subject.versions] == list(range(1, len(entry["versions"]) + 1))
            assert told["action"].to_list() == entry["log"]
            assert told["at"].is_sorted()
            assert set(told["who"]) == {"ann"}
            assert (subject.finished_at is None) == ("stop" not in entry["log"])
            shown = {name: getattr(subject, name) for name in LISTED}
            shown |= {"type": subject.entry_type, "tags": [*subject.tags], "versions": len(subject.versions)}
            assert listed[key] == shown


Life.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestLife = Life.TestCase


# ---------------------------------------------------------------- single rules


def test_the_possible_verbs_are_those_of_the_definition() -> None:
    for status, ways in WAYS.items():
        moves = set(verbs(status)) - {"edit", "clone", "rename"}
        assert moves == set(ways)
        assert {"clone", "rename"} <= set(verbs(status))
    assert all(word(verb) for verb in VERBS)


def test_a_draft_that_is_launched_publishes_its_newest_version(registry: Registry) -> None:
    registry.add(journey("j", "Welcome", version(1, "one", BEGAN), version(2, "two")))
    after = registry.launch("j")
    assert graphs(after) == [("one", True), ("two", True)]
    assert after.versions[0].published_at == BEGAN
    assert after.launched_at == after.versions[1].published_at == registry.history("j")["at"][-1]
    registry.add(journey("dated", "Dated", version(1, "one", BEGAN)))
    assert registry.launch("dated").versions[0].published_at == registry.history("dated")["at"][-1]


def test_what_was_published_stays_to_the_letter(registry: Registry) -> None:
    first = Journey.sample("welcome")
    registry.add(first)
    registry.pause("welcome")
    gone = first.versions[-1].model_copy(update={"branches": ()})
    after = registry.relaunch("welcome", first.model_copy(update={"versions": (first.versions[0], gone)}))
    assert after.versions[:2] == first.versions
    third = after.versions[2]
    assert (third.version, third.branches, third.note) == (3, (), None)
    assert third.published_at == registry.history("welcome")["at"][-1]
    assert registry.history("welcome")["detail"][-1] == "paused → running, version 3"
    registry.pause("welcome")
    assert registry.relaunch("welcome", after).versions == after.versions
    assert registry.history("welcome")["detail"][-1] == "paused → running, no new version"


def test_versions_of_numbers_that_are_new_here_keep_them(registry: Registry) -> None:
    """What the platform has released meanwhile: rows name it by these, also where a graph is one of before."""
    registry.add(journey("j", "Welcome", version(1, "one", BEGAN), status="paused"))
    released = (version(1, "one", BEGAN), version(2, "two"), version(4, "one", BEGAN), version(5, "one"))
    after = registry.edit(journey("j", "Welcome", *released, status="paused"))
    assert [v.published_at for v in after.versions] == [BEGAN, registry.history("j")["at"][-1], BEGAN, None]
    assert [v.version for v in after.versions] == [1, 2, 4, 5]
    assert graphs(after) == [("one", True), ("two", True), ("one", True), ("one", False)]
    assert registry.relaunch("j", after).version().version == 5
    assert registry.history("j")["detail"][-1] == "paused → running, version 5"


def test_a_number_that_was_given_stays_however_often_what_waits_is_redrawn(registry: Registry) -> None:
    """Else the rows that name it wait for a version that never comes."""
    registry.add(journey("j", "Welcome", version(1, "one", BEGAN), status="paused"))
    for graph in ("two", "none", "two"):
        after = registry.edit(journey("j", "Welcome", version(1, "one"), version(7, graph)))
        assert [v.version for v in after.versions] == [1, 7]
        assert graphs(after) == [("one", True), (graph, False)]
    taken_back = journey("j", "Welcome", version(1, "one"), version(7, "one"))
    assert graphs(registry.edit(taken_back)) == [("one", True)]


def test_an_edited_graph_waits_and_may_be_taken_back(registry: Registry) -> None:
    """Also where the imported versions have no dates, and so could pass for waiting ones."""
    before = registry.add(
        journey("j", "Welcome", version(1, "one"), status="paused", launched_at=BEGAN.isoformat())
    )
    for graph, waits in (("two", True), ("none", True), ("one", False), ("two", True)):
        after = registry.edit(journey("j", "Welcome", version(1, graph), status="paused"))
        assert graphs(after) == [("one", True), *([(graph, False)] if waits else [])]
        assert after.version().points == before.version().points
        assert after.version().published_at == BEGAN
    assert graphs(registry.clone("j")) == [("one", False)]  # what runs, not what waits
    assert graphs(registry.relaunch("j")) == [("one", True), ("two", True)]


def test_status_and_times_are_the_stores(registry: Registry) -> None:
    running = registry.launch(registry.add(journey()).journey_id)
    registry.pause("j")
    changed = running.model_copy(
        update={
            "status": "archived",
            "created_at": None,
            "launched_at": None,
            "finished_at": BEGAN,
            "category": "New",
        }
    )
    after = registry.relaunch("j", changed)
    assert (after.category, after.status, after.finished_at) == ("New", "running", None)
    assert (after.created_at, after.launched_at) == (running.created_at, running.launched_at)
    assert registry.history("j")["detail"][-1] == "paused → running, no new version, category"


def test_what_was_done_in_one_instant_stands_in_its_order(path: Path) -> None:
    registry = Registry(lambda: sqlite3.connect(path), now=lambda: BEGAN)
    registry.add(journey())
    for verb in ("launch", "pause", "relaunch", "archive"):
        getattr(registry, verb)("j")
    assert registry.history("j")["action"].to_list() == ["add", "launch", "pause", "relaunch", "archive"]


def test_a_clone_has_no_past(registry: Registry) -> None:
    registry.add(Journey.sample("welcome").model_copy(update={"owner": "growth"}))
    registry.stop("welcome", confirm="Welcome series")
    original = registry.archive("welcome")
    assert None not in (original.created_at, original.launched_at, original.finished_at)
    clone = registry.clone("welcome", "Spring")
    assert (clone.status, clone.launched_at, clone.finished_at) == ("draft", None, None)
    assert clone.created_at == registry.history("spring")["at"][0]
    assert clone.goals == original.goals
    (only,) = clone.versions
    assert (only.version, only.published_at, only.points) == (1, None, original.version().points)
    assert json.loads(clone.to_json())["owner"] == "growth"
    assert registry.history("spring")["action"].to_list() == ["clone"]
    assert registry.get("welcome") == original


def test_a_title_that_means_another_journey_is_refused(registry: Registry) -> None:
    first = registry.add(Journey.sample("welcome"))
    for change in (
        lambda title: registry.clone("welcome", title),
        lambda title: registry.rename("other", title),
    ):
        registry.add(journey("other", "Other"))
        for title in ("Welcome series", "welcome-SERIES"):
            with pytest.raises(
                StoreError, match=f"called “Welcome series” already .{first.journey_id}.: give this one"
            ):
                change(title)
    assert registry.find()["title"].to_list() == ["Welcome series", "Other"]
    assert [registry.clone("other").label for _ in range(3)] == [f"Other (copy){n}" for n in ("", " 2", " 3")]
    assert registry.rename("other", "OTHER").label == "OTHER", "its own may be written otherwise"


def test_adding_again_changes_nothing_and_another_design_is_refused(registry: Registry) -> None:
    first = registry.add(Journey.sample("welcome"))
    assert first.created_at == Journey.sample("welcome").created_at is not None
    registry.pause("welcome")
    paused = registry.rename("welcome", "Hello")
    assert registry.add(first) == paused
    words = {"title": "Another", "category": "New", "tags": ("new",), "launched_at": None, "status": "draft"}
    assert registry.add(first.model_copy(update=words)) == paused
    newest = first.versions[-1]
    redrawn = [newest.model_copy(update=gone) for gone in ({"branches": newest.branches[1:]}, {"version": 3})]
    for changed in (
        {"goals": ()},
        {"cancel_events": ("another",)},
        {"timezone": "Asia/Seoul"},
        {"versions": first.versions[:1]},
        *({"versions": (first.versions[0], version)} for version in redrawn),
    ):
        with pytest.raises(StoreError, match="journey_id of its own"):
            registry.add(first.model_copy(update=changed))
    assert registry.get("hello") == paused
    assert registry.history("hello").height == 3


def test_what_no_document_can_hold_is_refused_and_nothing_is_left(registry: Registry) -> None:
    registry.add(journey())
    with pytest.raises(JourneyError, match="cannot be encoded"):
        registry.rename("j", "half \ud800")
    with pytest.raises(ValueError, match="a title must say something"):
        registry.clone("j", " \n")
    lost = journey().versions[0].model_copy(update={"points": journey().versions[0].points[:1]})
    with pytest.raises(JourneyError, match="no point 'out'"):
        registry.edit(journey().model_copy(update={"versions": (lost,)}))
    registry.launch("j")
    registry.pause("j")
    with pytest.raises(StoreError, match="the change is of 'other'"):
        registry.relaunch("j", journey("other"))
    after = registry.get("j")
    assert (after.title, after.status, graphs(after)) == ("Welcome", "paused", [("none", True)])
    assert registry.history("j")["action"].to_list() == ["add", "launch", "pause"]
    assert registry.find().height == 1


@given(title=st.text(st.characters(codec="utf-8"), min_size=1), who=st.text())
@settings(max_examples=40)
def test_any_text_is_kept_to_the_letter(
    tmp_path_factory: pytest.TempPathFactory, title: str, who: str
) -> None:
    file = tmp_path_factory.mktemp("store") / "store.sqlite"
    registry = Registry(lambda: sqlite3.connect(file), now=ticking())
    registry.add(journey("'; DROP TABLE journey; --", title, category=title, tags=[title, "'"]), by=who)
    row = registry.find(category=title, tag=[title], title=title).row(0, named=True)
    assert (row["title"], row["category"], row["tags"]) == (title, title, [title, "'"])
    assert registry.get("'; DROP TABLE journey; --").title == registry.get(title).title == title
    assert registry.history(title)["who"].to_list() == [who.encode("utf-8", "backslashreplace").decode()]


# ---------------------------------------------------------------- keys and lists


@pytest.fixture
def three(registry: Registry) -> Registry:
    for name in ("welcome", "abandoned_cart", "win_back"):
        registry.add(Journey.sample(name))
    return registry


@pytest.mark.parametrize("key", ["welcome", "Welcome series", "WELCOME-SERIES", "welcome_series",
                                 "6f1d2c9e-3b7a-4e55-9a40-0d8c7f6b2a11"])  # fmt: skip
def test_a_key_is_an_id_a_title_or_its_beginning(three: Registry, key: str) -> None:
    assert three.get(key).title == "Welcome series"


def test_a_key_that_means_several_lists_them_and_the_nearest_way_wins(three: Registry) -> None:
    clone = three.clone("welcome", "Welcome back")
    with pytest.raises(KeyError, match="one of 2 journeys; name it by its id: ") as caught:
        three.get("welcome")
    assert clone.journey_id in str(caught.value)
    short = three.clone("welcome back", "WELCOME")
    assert three.get("welcome") == short
    assert three.get("Welcome back") == clone
    named = three.clone("welcome back", short.journey_id)
    assert three.get(short.journey_id) == short
    assert three.get(named.journey_id) == named


@pytest.mark.parametrize("key", ["", " ", "!", "_", "wel", "\ud800", "Robert'); DROP TABLE journey;--"])
def test_a_key_that_means_none_is_refused(three: Registry, key: str) -> None:
    signs = three.add(journey("signs", "🎈"))
    assert three.get("🎈") == signs
    with pytest.raises(KeyError, match="the store has no journey"):
        three.get(key)


def test_an_unknown_key_names_the_near_one(registry: Registry) -> None:
    with pytest.raises(KeyError, match="add one first"):
        registry.get("welcome")
    registry.add(Journey.sample("welcome"))
    for typed in ("Welcom seris", "welcom", "WELCOME SERIE"):
        with pytest.raises(KeyError, match="did you mean 'welcome_series'"):
            registry.get(typed)
    with pytest.raises(KeyError, match="did you mean '6f1d2c9e-3b7a-4e55-9a40-0d8c7f6b2a11'"):
        registry.get("6f1d2c9e-3b7a-4e55-9a40-0d8c7f6b2a12")


def some(wanted: Any) -> list[str]:
    return [one.lower() for one in ([wanted] if isinstance(wanted, str) else wanted)]


choices = st.one_of(st.none(), st.sampled_from("aBb"), st.lists(st.sampled_from("abCc")))
of_status = st.one_of(st.none(), st.lists(st.sampled_from(get_args(Status))))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    file, rng = tmp_path_factory.mktemp("many") / "store.sqlite", random.Random(1)
    registry = Registry(lambda: sqlite3.connect(file), now=ticking())
    for n in range(40):
        registry.add(journey(f"j{n}", rng.choice(["Été a", "b", "ÉTÉ b", ""]), status=rng.choice(get_args(Status)),
                             category=rng.choice([None, "A", "b"]), tags=rng.sample("aBc", rng.randint(0, 3)),
                             entry_type=rng.choice(["api", "trigger"]),
                             created_at=rng.choice(["2026-03-01T00:00+02:00", "2026-02-28T22:30Z", None])))  # fmt: skip
    return registry


@given(status=of_status, category=choices, tag=choices, kind=st.sampled_from([None, "api", ["api", "trigger"]]),
       title=st.sampled_from([None, "été", ["T", "B"], []]))  # fmt: skip
def test_the_list_is_what_a_plain_loop_would_find(
    many: Registry, status: Any, category: Any, tag: Any, kind: Any, title: Any
) -> None:
    def meets(one: Journey) -> bool:
        return (
            (status is None or one.status in some(status))
            and (category is None or (one.category or "-").lower() in some(category))
            and (kind is None or one.entry_type in some(kind))
            and (tag is None or any(t.lower() in some(tag) for t in one.tags))
            and (title is None or any(part in one.title.lower() for part in some(title)))
        )

    found = many.find(status=status, category=category, type=kind, tag=tag, title=title)
    expected = [one for one in map(many.get, (f"j{n}" for n in range(40))) if meets(one)]
    expected.sort(key=lambda one: (one.created_at, one.title, one.journey_id))
    assert found["journey_id"].to_list() == [one.journey_id for one in expected]
    assert found["created_at"].to_list() == [one.created_at for one in expected]
    assert found.schema == many.find().schema
    assert found.schema["tags"] == pl.List(pl.String)


def test_the_history_of_an_edit_names_what_changed(registry: Registry) -> None:
    welcome = registry.add(Journey.sample("welcome").model_copy(update={"status": "draft"}))

    def told(**changes: Any) -> str:
        registry.edit(registry.get("welcome").model_copy(update=changes))
        return str(registry.history(welcome.journey_id)["detail"][-1])

    assert told(tags=("new",), category="Growth") == "category, tags"
    assert told() == ""
    later = welcome.versions[1].model_copy(update={"version": 2, "published_at": None})
    assert told(versions=(welcome.versions[0], later)) == "versions", "nothing waits before the launch"
    assert told(versions=welcome.versions[:1]) == "versions"
    registry.launch("welcome")
    registry.pause("welcome")
    assert told(title="Hello", versions=(*welcome.versions[:1], later)) == "title, version 2 waits"


def test_a_journey_in_place_of_its_name_is_told_its_id(registry: Registry) -> None:
    welcome = registry.add(Journey.sample("welcome"))
    with pytest.raises(TypeError, match=f"not by a Journey: '{welcome.journey_id}'"):
        registry.get(welcome)  # type: ignore[arg-type]


def test_a_key_near_none_lists_those_that_there_are(registry: Registry) -> None:
    for number in range(23):
        registry.add(journey(f"j{number}", f"Spring {number}", version(1, "one")))
    with pytest.raises(KeyError, match=r"no journey .nope.; it has Spring 0, Spring 1, .* and 3 more"):
        registry.get("nope")


@pytest.mark.parametrize("change", ["add", "edit", "relaunch"])
def test_what_is_no_journey_is_told_how_one_is_had(change: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(Journey.sample("welcome"))
    asked = ("welcome", "x") if change == "relaunch" else ("x",)
    with pytest.raises(TypeError, match=r"a journey is wanted, not a str: Journey\.read"):
        getattr(store, change)(*asked)
    with pytest.raises(ValueError, match="a title must say something"):
        store.rename("welcome", None)  # type: ignore[arg-type]


def test_a_status_may_be_named_as_it_is_shown(registry: Registry) -> None:
    registry.add(Journey.sample("welcome"))
    for status in ("Active", "active", ["Paused", "ACTIVE"]):
        assert registry.find(status=status).height == 1


def test_an_unknown_status_or_type_names_the_near_one(registry: Registry) -> None:
    with pytest.raises(ValueError, match="did you mean 'paused'"):
        registry.find(status=["running", "pausd"])
    with pytest.raises(ValueError, match="there are audience, trigger, api, mixed"):
        registry.find(type="push")
    assert registry.find().is_empty()


def test_nobody_has_to_say_who(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("no name")

    monkeypatch.setattr(getpass, "getuser", lambda: "ann\udc80")
    registry.add(journey())
    monkeypatch.setattr(getpass, "getuser", nobody)
    registry.launch("j")
    assert registry.history("j")["who"].to_list() == ["ann\\udc80", "unknown"]


# ---------------------------------------------------------------- the file


def test_the_file_is_kept_as_safely_as_sqlite_can(registry: Registry, path: Path) -> None:
    with registry._database.opened() as db:
        settings = {name: db.execute(f"PRAGMA {name}").fetchone()[0]
                    for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "user_version")}  # fmt: skip
    assert settings == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000, "user_version": FORMAT
    }  # fmt: skip


def test_a_newer_format_is_left_alone(registry: Registry, path: Path) -> None:
    registry.add(journey())
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    db.close()
    for use in (
        lambda: Registry(lambda: sqlite3.connect(path)),
        lambda: registry.get("j"),
        lambda: registry.launch("j"),
    ):
        with pytest.raises(StoreError, match=f"format {FORMAT + 1} .* install a newer one"):
            use()


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database" * 100)
    with pytest.raises(StoreError, match="not written by journey_nb"):
        Registry(lambda: sqlite3.connect(tmp_path / "text"))
    with pytest.raises(StoreError, match="may be written"):
        Registry(lambda: sqlite3.connect(tmp_path / "missing" / "store.sqlite"))


def test_a_disk_that_does_not_do_what_it_is_asked_is_told(tmp_path: Path) -> None:
    """With no room for a file beside it SQLite cannot even read."""

    def connect() -> sqlite3.Connection:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
        raise error

    with pytest.raises(StoreError, match="whether the disk is full"):
        Registry(connect)


def test_other_tables_of_the_file_are_no_matter(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE batch (n)")
        db.execute(f"PRAGMA user_version = {FORMAT}")
    db.close()
    registry = Registry(lambda: sqlite3.connect(path))
    assert registry.add(journey()) == registry.get("j")


START = """
import sqlite3, sys
from journey_nb import Journey
from journey_nb.store.registry import Registry
path, who = sys.argv[1:3]
print("ready", flush=True)
sys.stdin.readline()
registry = Registry(lambda: sqlite3.connect(path))
"""


def started(code: str, path: Path, who: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        [sys.executable, "-c", START + code, path, who], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    assert child.stdout.readline() == "ready\n", child.communicate()
    return child


def test_two_programs_lose_none_of_each_others_changes(path: Path) -> None:
    """Not even the making of the file, which both begin at once."""
    code = """
registry.add(Journey.sample("welcome"), by=who)
for n in range(50):
    registry.rename("6f1d2c9e-3b7a-4e55-9a40-0d8c7f6b2a11", f"{who} {n}", by=who)
"""
    children = [started(code, path, who) for who in ("ann", "ben")]
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [(child.communicate()[1], child.returncode) for child in children] == [("", 0)] * 2
    registry = Registry(lambda: sqlite3.connect(path))
    told = registry.history("6f1d2c9e-3b7a-4e55-9a40-0d8c7f6b2a11").filter(action="rename")
    after = [detail.partition(" → ")[2].strip("“”") for detail in told["detail"]]
    assert sorted(after) == sorted(f"{who} {n}" for who in ("ann", "ben") for n in range(50))
    before = [detail.partition(" → ")[0].strip("“”") for detail in told["detail"]]
    assert before == ["Welcome series", *after[:-1]]  # each saw the one before it
    assert registry.find()["title"].to_list() == after[-1:]


LEADS = {"add": "running", "pause": "paused", "relaunch": "running"}


def agrees(path: Path) -> int:
    """How long the history is, once its last line, the document and the list say the same."""
    registry = Registry(lambda: sqlite3.connect(path))
    subject, told = registry.get("welcome"), registry.history("welcome")
    assert subject.status == LEADS[told["action"][-1]] == registry.find()["status"].item()
    moves = told["action"].to_list()[1:]
    assert moves == [("pause", "relaunch")[n % 2] for n in range(len(moves))]
    with registry._database.opened() as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return told.height


def test_a_program_that_is_killed_leaves_status_and_history_in_agreement(path: Path) -> None:
    code = """
from itertools import count
for n in count():
    getattr(registry, "pause" if registry.get("welcome").status == "running" else "relaunch")("welcome")
    print(n, flush=True)
"""
    Registry(lambda: sqlite3.connect(path)).add(Journey.sample("welcome"))
    rng, length = random.Random(7), 1
    for _ in range(10):
        child = started(code, path, "ann")
        child.stdin.write("go\n")
        child.stdin.flush()
        done = [child.stdout.readline() for _ in range(rng.randint(1, 5))]
        time.sleep(rng.random() / 50)  # somewhere within the next changes
        child.kill()
        rest = child.stdout.read().split()  # also what was read ahead
        assert child.wait() == -signal.SIGKILL
        before, length = length, agrees(path)
        assert 0 <= length - before - len(done) - len(rest) <= 1  # what was said to be done is done


def test_a_program_that_dies_at_any_statement_of_a_change_leaves_all_of_it_or_nothing(path: Path) -> None:
    code = """
import os, signal
left, verb = int(who), "pause" if registry.get("welcome").status == "running" else "relaunch"
def step(statement):
    global left
    left -= 1
    if not left:
        print(statement)
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
def connect():
    db = sqlite3.connect(path)
    db.set_trace_callback(step)
    return db
registry._database._connect = connect
getattr(registry, verb)("welcome")
"""
    Registry(lambda: sqlite3.connect(path)).add(Journey.sample("welcome"))
    died = []
    for statement in range(5, 20):
        child = started(code, path, str(statement))
        died += child.communicate("go\n")[0].split()[:1]
        assert agrees(path) == 1 + (child.returncode == 0)
        if child.returncode == 0:
            break
    assert died == ["BEGIN", "SELECT", "SELECT", "INSERT", "INSERT", "COMMIT"]
