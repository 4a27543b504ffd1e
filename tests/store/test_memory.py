"""How much memory a process may take: of the machine, or of its container."""

from __future__ import annotations

from pathlib import Path

import pytest

from journey_nb.store.memory import memory

MACHINE = memory(Path("none"), Path("none"))


def laid(path: Path, told: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(told)


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": "1073741824\n"}, 2**30),
        ("0::/\n", {"memory.max": "max\n"}, MACHINE),
        ("0::/\n", {}, MACHINE),
        # The least of the groups around it counts.
        ("0::/pod/box\n", {"pod/memory.max": "1024", "pod/box/memory.max": "max"}, 1024),
        ("0::/pod/box\n", {"pod/memory.max": "2048", "pod/box/memory.max": "1024"}, 1024),
        # Version 1: a group is told by its path outside of the container, which is not seen inside.
        ("4:memory:/docker/1f\n", {"memory/memory.limit_in_bytes": "2048"}, 2048),
        ("4:cpu,memory:/a\n0::/\n", {"memory/a/memory.limit_in_bytes": "512"}, 512),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, MACHINE),
        ("3:cpu:/a\n", {"memory/memory.limit_in_bytes": "512"}, MACHINE),
    ],
)
def test_a_container_s_limit_counts_where_it_is_less_than_the_machine(
    groups: str, limits: dict[str, str], expected: int, tmp_path: Path
) -> None:
    laid(tmp_path / "own", groups)
    for name, told in limits.items():
        laid(tmp_path / "cgroup" / name, told)
    assert memory(tmp_path / "cgroup", tmp_path / "own") == expected


def test_a_system_without_groups_has_what_is_installed() -> None:
    assert MACHINE > 2**28
