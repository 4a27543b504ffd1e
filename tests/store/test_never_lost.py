"""Whatever ends a load, the store is as before or as after; a resumed import ends as an undisturbed one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from same import assert_same, told

import journey_nb as jn
from journey_nb.simulate import simulate_to
from journey_nb.store import Store, intake, parts
from journey_nb.store.layers import Layer, Layers

KILLS = int(os.environ.get("JOURNEY_NB_KILLS", 10))
EVENTS = int(os.environ.get("JOURNEY_NB_KILL_EVENTS", 200_000))
FILES = 8
WITHIN = 1.5 * EVENTS / 200_000  # seconds of a load, among which the instants fall

LOAD = """
import sys, journey_nb
folder, *files = sys.argv[1:]
store = journey_nb.Store(folder)
print("begins", flush=True)
for file in files:
    store.load(file)
print("done", flush=True)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, welcome: jn.Journey) -> list[Path]:
    """A log in several files, in no order, some of its rows in two of them."""
    folder = tmp_path_factory.mktemp("log")
    simulate_to(folder / "all.parquet", welcome, users=round(EVENTS / 35), seed=5, days=60, dirty=0.002)
    rows = pl.read_parquet(folder / "all.parquet").sample(fraction=1, shuffle=True, seed=2)
    size = rows.height // FILES + 1
    paths = [folder / f"{number}.parquet" for number in range(FILES)]
    for number, path in enumerate(paths):
        rows[max(0, number * size - 50) : (number + 1) * size].write_parquet(path)
    return paths


@pytest.fixture(scope="module")
def undisturbed(files: list[Path], welcome: jn.Journey, tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("undisturbed"))
    store.add(welcome)
    store.load(files)
    return store


def loading(folder: Path, files: list[Path], **how: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LOAD, folder, *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how,  # type: ignore[call-overload]
    )  # fmt: skip


def killed(rng: Random, process: subprocess.Popen[str], within: float) -> bool:
    """Kill it at a random instant of its work; whether it was still at it."""
    assert process.stdout is not None
    if process.stdout.readline() != "begins\n":
        pytest.fail(process.stderr.read() if process.stderr else "")
    time.sleep(rng.random() * within)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return "done" not in process.stdout.read()


def is_whole(store: Store, expected: Store) -> None:
    assert store.check() == []
    assert_same(store["welcome"].facts, expected["welcome"].facts)
    for name in ("points", "health", "daily", "goals"):
        assert_frame_equal(*(getattr(one["welcome"], name)() for one in (store, expected)), rel_tol=1e-9)


class Rounds:
    """Stores that are loaded one after the other: once all is in, it must be as if nobody had disturbed it."""

    def __init__(self, folder: Path, journey: jn.Journey, expected: Store) -> None:
        self._folder, self._journey, self._expected = folder, journey, expected
        self.done = -1
        self._next()

    def _next(self) -> None:
        self.done += 1
        self.store = Store(self._folder / str(self.done))
        self.store.add(self._journey)

    def looked_at(self) -> None:
        """As before or as after, every time; where everything is in, all over again in a new store."""
        assert self.store.check() == []
        if self.store["welcome"].facts.read == self._expected["welcome"].facts.read:
            is_whole(self.store, self._expected)
            shutil.rmtree(self.store.path)
            self._next()


def test_an_import_killed_at_random_instants_is_resumed(
    files: list[Path], undisturbed: Store, welcome: jn.Journey, tmp_path: Path
) -> None:
    rng, rounds, cut = Random(7), Rounds(tmp_path, welcome, undisturbed), 0
    for _ in range(KILLS):
        cut += killed(rng, loading(rounds.store.path, files), within=WITHIN)
        rounds.looked_at()
    process = loading(rounds.store.path, files)
    assert process.wait() == 0
    is_whole(Store(rounds.store.path), undisturbed)
    print(f"{cut} of {KILLS} killed at work; {rounds.done + 1} imports ended whole")
    assert cut > KILLS // 3


def test_two_writers_killed_at_random_instants_lose_and_double_nothing(
    files: list[Path], undisturbed: Store, welcome: jn.Journey, tmp_path: Path
) -> None:
    rng, rounds, cut = Random(8), Rounds(tmp_path, welcome, undisturbed), 0
    for _ in range(max(2, KILLS // 4)):
        folder = rounds.store.path
        pair = [loading(folder, files), loading(folder, files[::-1])]
        for process in rng.sample(pair, 2):
            cut += killed(rng, process, within=WITHIN)
        rounds.looked_at()
    folder = rounds.store.path
    pair = [loading(folder, files), loading(folder, files[::-1])]
    assert [process.wait() for process in pair] == [0, 0]
    is_whole(Store(folder), undisturbed)
    print(f"{cut} of {2 * max(2, KILLS // 4)} writers killed at work; {rounds.done + 1} imports ended whole")


def test_a_reader_sees_one_state_while_others_write(
    files: list[Path], undisturbed: Store, welcome: jn.Journey, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    store.add(welcome)
    process = loading(tmp_path, files)
    seen = 0
    while process.poll() is None:
        stats = Store(tmp_path)["welcome"]
        rows = stats.facts.events.height + stats.facts.goals["run"].null_count()  # a goal may be of no run
        assert rows >= seen  # never back, never half a file
        assert stats.facts.read == rows + stats.facts.duplicates + stats.facts.quarantined.height
        assert (
            stats.reconciliation().filter(pl.col("check").is_in(["runs", "visits"]))["gap"].abs().sum() == 0
        )
        seen = rows
    is_whole(store, undisturbed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for some of the files: a small tmpfs, or else a limit on the size of a file."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    room = 14 * EVENTS  # bytes; the whole store takes several times as much
    done = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={room}", "tmpfs", folder], capture_output=True
    )
    if done and done.returncode == 0:
        yield folder
        subprocess.run(["umount", folder], check=True)
    else:
        yield folder


def limited() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (EVENTS, EVENTS))


def test_a_full_disk_leaves_what_was_there(
    files: list[Path], undisturbed: Store, welcome: jn.Journey, small_disk: Path, tmp_path: Path
) -> None:
    Store(small_disk).add(welcome)
    how = {} if os.path.ismount(small_disk) else {"preexec_fn": limited}
    process = loading(small_disk, files, **how)
    _, told = process.communicate()
    assert process.returncode != 0
    assert "panicked" not in told, told
    assert "StoreError: there is no room" in told, told  # and not that the log were damaged
    store = Store(small_disk)
    assert store.check() == []
    moved = tmp_path / "larger"
    shutil.copytree(small_disk, moved)
    process = loading(moved, files)
    assert process.wait() == 0
    is_whole(Store(moved), undisturbed)


def test_what_is_listed_stands_on_the_disk_before(
    welcome: jn.Journey, welcome_log: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a power cut may come right after: every file as it is in the end, its folders, and the list itself."""
    on_disk, listed, fsync, publish = set(), list[int](), os.fsync, Layers.publish

    def stands(told: os.stat_result) -> tuple[int, ...]:
        return told.st_ino, told.st_size, told.st_mtime_ns

    def synced(file: int) -> None:
        fsync(file)
        on_disk.add(stands(os.fstat(file)))

    def published(layers: Layers, made: dict[str, Layer], *others: object, **more: object) -> None:
        for layer in made.values():
            inside = [*layer.folder.rglob("*"), layer.folder, layer.folder.parent]
            assert {path for path in inside if stands(path.stat()) not in on_disk} == set()
            assert tmp_path.stat().st_ino in {file for file, *_ in on_disk}
            assert {path.relative_to(layer.folder).as_posix() for path in inside if path.is_file()} == set(
                layer.files
            )
            listed.append(layer.parts)
        publish(layers, made, *others, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Layers, "publish", published)
    monkeypatch.setattr(intake, "ROWS_A_PART", 1_000)
    store = Store(tmp_path)
    store.add(welcome)
    store.append(welcome_log.with_columns(journey_id=pl.lit("another"))[:9])
    for some in (welcome_log[:2_500], *(welcome_log[at : at + 50] for at in range(2_500, 2_750, 50))):
        store.append(some)
    store.erase(welcome_log["user_id"][0])
    assert {0, 1} < set(listed)  # of strangers, of few rows or merged, and of many
    with store._database.opened() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_damaged_file_is_named_and_mended_from_the_kept_log(
    files: list[Path], undisturbed: Store, welcome: jn.Journey, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    store.add(welcome)
    store.add(other := jn.Journey.sample("win_back"))
    store.load(files[:2])
    [one, *_] = sorted((tmp_path / "store" / "layers").glob("*/0"))
    damaged = [one / "facts.json", one / "visits.arrow", one.parent / "cube_rows.arrow"]
    for path in damaged:
        content = bytearray(path.read_bytes())
        content[len(content) // 2 :] = bytes(255 - byte for byte in content[len(content) // 2 :])
        path.write_bytes(content)
    store = Store(tmp_path / "store")
    places = {path.relative_to(tmp_path / "store").as_posix() for path in damaged}
    assert {(fault.journey_id, fault.place) for fault in store.check()} == {
        (welcome.journey_id, place) for place in places
    }
    with pytest.raises(jn.StoreError, match=r"facts\.json cannot be read: it is damaged\. Store.rebuild"):
        store["welcome"].health()
    assert store[other.journey_id].health()["entrances"].item() == 0  # the rest works on
    store.rebuild("welcome")
    assert store.check() == []
    store.load(files)
    is_whole(store, undisturbed)


@pytest.fixture
def loaded(files: list[Path], welcome: jn.Journey, tmp_path: Path) -> Store:
    """A store of the first file."""
    store = Store(tmp_path / "store")
    store.add(welcome)
    store.load(files[0])
    return store


def test_a_flipped_bit_is_told_and_never_counted(loaded: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most could be read: as other numbers, or to the end of the process, which maps what it reads."""
    rng = Random(1)
    kept = ("log", "where", "shared", "keys")  # what only loads and rebuilds read
    paths = [path for path in (loaded.path / "layers").rglob("*.*") if not path.name.startswith(kept)]
    assert len(paths) > 15
    for path in paths:
        content = bytearray(written := path.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        monkeypatch.setattr(parts, "_kept", parts._Kept(2**30))  # as in a process of its own
        with pytest.raises(jn.StoreError) as error:
            everything(Store(loaded.path)["welcome"])
        assert f"{path.name} cannot be read: it is damaged" in str(error.value)
        path.write_bytes(written)
    everything(Store(loaded.path)["welcome"])


def everything(stats: jn.JourneyStats) -> None:
    """Read all that there is to read: every table of facts, the cubes, stays, and who was active when."""
    told(stats.facts)
    stats.waiting_times("settle")
    stats.points(), stats.paths(), stats.variants("offer_test", "first_order"), stats.user_path("u0000001")
    middle = stats.facts.first_at + timedelta(days=9, seconds=1)
    stats.between(middle, middle + timedelta(days=9)).health()


@pytest.mark.parametrize("name", ["replaced.arrow", "steps-replaced.arrow", "steps.arrow"])
def test_a_file_that_is_gone_is_not_as_if_it_had_never_been(
    loaded: Store, files: list[Path], name: str
) -> None:
    loaded.load(files[1])  # of the same users
    [*_, last] = sorted((loaded.path / "layers").glob(f"*/{name}"), key=lambda path: path.stat().st_mtime)
    last.unlink()
    with pytest.raises(jn.StoreError, match=f"{last.parent.name}.*cannot be read"):
        everything(Store(loaded.path)["welcome"])


def test_a_damaged_log_is_told_when_facts_are_to_be_made_of_it(loaded: Store) -> None:
    path = next((loaded.path / "layers").glob("*/0/log.parquet"))
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(jn.StoreError, match=r"log\.parquet cannot be read: it is damaged\. Put back a copy"):
        Store(loaded.path).rebuild("welcome")
    assert Store(loaded.path)["welcome"].health()["entrances"].item() > 0


def test_a_file_that_is_cut_short_is_named_when_it_is_read(loaded: Store) -> None:
    path = next((loaded.path / "layers").glob("*/0/visits.arrow"))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(jn.StoreError, match=r"visits\.arrow.*check"):
        len(Store(loaded.path)["welcome"].facts.visits)


def test_what_goes_away_while_leftovers_are_looked_at_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a load moves or removes its folders meanwhile."""
    (tmp_path / "old" / "going").mkdir(parents=True)
    (tmp_path / "old" / "file").write_bytes(b"123")
    (tmp_path / "file").write_bytes(b"12345")
    listed = os.scandir

    def scandir(place: str | Path) -> Iterator[os.DirEntry[str]]:
        if Path(place).name == "going":
            raise FileNotFoundError(place)
        return listed(place)

    store = Store(tmp_path)
    monkeypatch.setattr(os, "scandir", scandir)
    assert store.leftovers().rows() == [("file", 5, False), ("old", 3, False)]
