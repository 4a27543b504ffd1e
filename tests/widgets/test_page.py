"""JourneyCanvas.save: what the page carries, the same bytes each time, and what is refused. How it lives: tests/browser."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import journey_nb as jn
from journey_nb.pseudonyms import Pseudonyms
from journey_nb.simulate import simulate
from journey_nb.widgets import _page
from journey_nb.widgets._base import bundle


@pytest.fixture(scope="module")
def stats(welcome: jn.Journey) -> jn.JourneyStats:
    return jn.JourneyStats(welcome, simulate(welcome, users=40, seed=2))


def carried(page: str) -> dict[str, Any]:
    (states,) = re.findall(r'id="jnb-states">([^<]+)<', page)
    return json.loads(gzip.decompress(b64decode(states)))


def test_it_begins_as_the_view_stands_and_has_its_own_period_and_user(
    stats: jn.JourneyStats, tmp_path: Path
) -> None:
    user = stats.users()["user_id"][0]
    view = jn.JourneyCanvas(stats.between("2026-03-01", "2026-03-15"), heat="share", user=user)
    view.watch(1, lambda: stats)
    kept = carried(view.save(tmp_path / "x.html", periods=["7d"]).read_text("utf-8"))
    assert (kept["period"], kept["user"]) == ("2026-03-01..2026-03-15", user)
    assert set(kept["pictures"]) == {"7d", "2026-03-01..2026-03-15"}
    assert kept["traits"]["every"] == 0, "nothing is watched that cannot change"
    now = kept["pictures"][kept["period"]]
    assert now[user]["picture"] == gzip.decompress(view.picture).decode()
    assert now[user]["graph"] == view.graph
    view.user = None
    assert now[""]["picture"] == gzip.decompress(view.picture).decode()
    assert "1 Mar 2026 – 15 Mar 2026" in now[""]["tools"][0]
    assert set(kept["details"]["7d"]) == set(stats.journey.points())
    assert not re.search('data-action="(export|statistics)"', json.dumps(kept["details"]).replace('\\"', '"'))


def test_the_same_view_is_the_same_bytes(stats: jn.JourneyStats, tmp_path: Path) -> None:
    user = stats.users()["user_id"][0]
    pages = [
        jn.JourneyCanvas(jn.JourneyStats(stats.journey, simulate(stats.journey, users=40, seed=2)))
        .save(tmp_path / f"{name}.html", periods=["launch"], users=[user])
        .read_bytes()
        for name in ("one", "two")
    ]
    assert pages[0] == pages[1]


def test_it_takes_a_frame_of_users(stats: jn.JourneyStats, tmp_path: Path) -> None:
    some = stats.users().head(2)
    for users in (some, some["user_id"], some["user_id"].to_numpy()):
        page = jn.JourneyCanvas(stats).save(tmp_path / "x.html", periods=["launch"], users=users)
        assert set(carried(page.read_text("utf-8"))["pictures"]["launch"]) == {"", *some["user_id"]}
    with pytest.raises(ValueError, match="is a picture"):
        jn.JourneyCanvas(stats).save(tmp_path / "x.svg", users=some)


def test_a_page_under_pseudonyms_names_nobody(stats: jn.JourneyStats, tmp_path: Path) -> None:
    people = Pseudonyms(b"a key of many bytes, not this one")
    names = stats.users()["user_id"].to_list()
    path = jn.JourneyCanvas(stats.under(people)).save(
        tmp_path / "x.html", periods=["launch"], users=[people.of(names[0])]
    )
    page = path.read_text("utf-8")
    kept = json.dumps(carried(page))
    assert people.of(names[0]) in kept
    assert [name for name in names if name in kept or name in page] == []
    assert "Redacted: users and devices under pseudonyms." in page[: page.index("<figure")]
    assert "a key of many bytes" not in page + kept


def test_its_policy_names_its_one_script_and_nothing_can_end_what_it_carries(
    stats: jn.JourneyStats, tmp_path: Path
) -> None:
    page = jn.JourneyCanvas(stats).save(tmp_path / "x.html", periods=[]).read_text("utf-8")
    (script,) = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}' blob:;" in policy
    assert policy.startswith("default-src 'none';")
    assert not re.search("</script|<!--", bundle(), re.IGNORECASE)
    assert f'id="jnb-views">{bundle()}</script>' in page


def test_the_picture_alone_has_no_script(stats: jn.JourneyStats, tmp_path: Path) -> None:
    page = jn.canvas(stats).save(tmp_path / "x.html").read_text("utf-8")
    assert "<script" not in page
    assert "script-src" not in page
    view = jn.JourneyCanvas(stats)
    assert view.save(tmp_path / "x.svg").read_text("utf-8") == gzip.decompress(view.picture).decode()


def test_what_cannot_be_saved_is_told_and_leaves_no_file(
    stats: jn.JourneyStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = jn.JourneyCanvas(stats)
    user = stats.users()["user_id"][0]
    for options, told in (
        ({"users": [user + "x"]}, f"did you mean.*{user}"),
        ({"users": user}, "users is a list"),
        ({"periods": ["30days"]}, "30d"),
        ({"periods": "7d"}, "periods is a list"),
    ):
        with pytest.raises((KeyError, ValueError, TypeError), match=told):
            view.save(tmp_path / "x.html", **options)
    for options in ({"users": [user]}, {"periods": ["7d"]}):
        with pytest.raises(ValueError, match=r"x\.svg is a picture .* end the name in \.html"):
            view.save(tmp_path / "x.svg", **options)
    with pytest.raises(ValueError, match=r"end the name in \.svg, \.html, \.png"):
        view.save(tmp_path / "x.pdf")
    monkeypatch.setattr(_page, "MOST", 50_000)
    with pytest.raises(ValueError, match="save fewer users or periods"):
        view.save(tmp_path / "x.html", periods=[])
    assert list(tmp_path.iterdir()) == []


def test_a_tracer_is_saved_as_its_canvas(stats: jn.JourneyStats, tmp_path: Path) -> None:
    user = stats.users()["user_id"][0]
    page = jn.PathTracer(stats, user=user).save(tmp_path / "x.html", periods=[]).read_text("utf-8")
    kept = carried(page)
    assert kept["user"] == user
    assert 'class="panel"' not in kept["traits"]["frame"]
