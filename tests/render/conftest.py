"""Golden files: each was looked at as a picture before it was accepted.

``pytest tests/render --snapshot-update`` writes them anew; look at them before you commit them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


class _Golden(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT

    @classmethod
    def dirname(cls, **_: Any) -> str:
        return str(GOLDEN)

    @classmethod
    def get_snapshot_name(cls, *, index: Any = 0, **_: Any) -> str:
        return str(index)


class _Svg(_Golden):
    file_extension = "svg"


class _Html(_Golden):
    file_extension = "html"


@pytest.fixture
def golden_svg(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(_Svg)


@pytest.fixture
def golden_html(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(_Html)
