"""How much memory this process may take."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_UNTOLD = 8 * 2**30  # what a machine is taken to have that does not tell


def memory(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes of memory that the machine has, or that the container may take, whichever is less.

    Notebooks mostly run in containers, which are ended when they take more than their share of a large machine.

    Examples
    --------
    >>> memory() > 2**20
    True
    """
    return min([_installed(), *_limits(cgroups, own)])


def _installed() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # not told by this system
        return _UNTOLD


def _limits(cgroups: Path, own: Path) -> Iterator[int]:
    """The limits of the process's control groups, and of those around them, of either version of Linux's."""
    try:
        groups = own.read_text(encoding="utf-8").splitlines()
    except OSError:  # another system
        return
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, name = (cgroups / "memory", "memory.limit_in_bytes") if controllers else (cgroups, "memory.max")
        innermost = top / path.strip("/")
        for folder in (innermost, *innermost.parents):
            try:
                told = (folder / name).read_text(encoding="ascii").strip()
            except OSError:  # inside a container the groups around it are not seen
                told = ""
            if told.isdigit():  # else there is no limit
                yield int(told)
            if folder == top:
                break
