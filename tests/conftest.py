"""What all tests share: where the open data is found."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def open_data() -> Callable[[str], Path]:
    """The path of a file of open data; without the file the test is skipped, or fails where it must not be.

    The folder is named by JOURNEY_NB_DATA, else it is ../shared/data beside the checkout.
    JOURNEY_NB_REQUIRE_DATA=1 makes a missing file a failure.
    """
    folder = Path(os.environ.get("JOURNEY_NB_DATA") or CHECKOUT.parent / "shared" / "data")

    def find(name: str) -> Path:
        path = folder / name
        if not path.is_file():
            missing = f"open data {name} is not in {folder}; name its folder in JOURNEY_NB_DATA"
            if os.environ.get("JOURNEY_NB_REQUIRE_DATA") == "1":
                pytest.fail(missing)
            pytest.skip(missing)
        return path

    return find
