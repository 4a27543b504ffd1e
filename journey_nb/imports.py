"""Libraries of others, imported without what they build for nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

_GRAMMARS = "rfc3987_syntax"


@contextmanager
def lean_jsonschema() -> Iterator[None]:
    """For the first import of what needs jsonschema: its grammars of IRIs are built when an IRI is checked.

    Where JupyterLab is installed jsonschema builds them as it is imported, which takes longer than all the
    rest of Altair or papermill, in the kernel of every report again. Nobody here checks an IRI.

    Examples
    --------
    >>> with lean_jsonschema():
    ...     import altair
    """
    if "jsonschema" in sys.modules or _GRAMMARS in sys.modules or not find_spec(_GRAMMARS):
        yield
        return
    later = ModuleType(_GRAMMARS)
    later.is_valid_syntax = _is_valid_syntax  # type: ignore[attr-defined]
    sys.modules[_GRAMMARS] = later
    try:
        yield
    finally:
        del sys.modules[_GRAMMARS]


def _is_valid_syntax(term: str, value: str) -> bool:
    from rfc3987_syntax import is_valid_syntax

    return bool(is_valid_syntax(term, value))
