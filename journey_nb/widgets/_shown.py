"""How a view is shown: as two outputs, of which a notebook shows the one that it can.

The first lives, the second is its picture for wherever no kernel is. So a saved notebook is good
in any JupyterLab; one that has our extension (widget_js/labextension) takes the first by its own
name, and does not even try it where its kernel is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from IPython import get_ipython
from ipywidgets import Box, Widget

from journey_nb.render import Html

# Of the two outputs CSS hides the one that is not needed.
_TWIN = (
    "<style>.jp-OutputArea-child:has(.jnb-live)+.jp-OutputArea-child:has(.jnb-static){display:none}"
    ".jp-OutputArea-child:not(:has(.jnb-live)):has(+.jp-OutputArea-child .jnb-static){display:none}"
    # Notebook 7 puts into a box of its own what was tall while both stood there.
    "body[data-notebook] .jp-mod-outputsScrolled:has(.jnb-live) .jp-Cell-outputArea"
    "{max-height:none;overflow:visible;box-shadow:none}"
    ".output_area:not(:has(.jnb-live)):has(+.output_area .jnb-static){display:none}</style>"
)


class Shown(Protocol):
    """What a live view says of itself."""

    alt: str
    figure: Html


def show(widget: Widget, views: Sequence[Shown]) -> dict[str, Any]:
    """Show a view, or the box that holds some; returns the second output, the picture."""
    from IPython.display import display

    told = " ".join(view.alt for view in views)
    made = widget._repr_mimebundle_() or {}  # of anywidget with metadata, of ipywidgets without
    bundle, metadata = made if isinstance(made, tuple) else (made, {})
    display(
        {**bundle, "application/x-journey-nb.view+json": {}, "text/plain": told}, raw=True, metadata=metadata
    )
    pictures = "".join(str(view.figure) for view in views)
    return {"text/html": f'{_TWIN}<div class="jnb-static">{pictures}</div>', "text/plain": told}


def boxed(kind: type[Any]) -> None:
    """From now on boxes of ipywidgets are shown so too, where such a view is in them."""

    def shown(box: Box) -> Any:
        views = list(_within(box, kind))
        return show(box, views) if views else box._repr_mimebundle_()

    if shell := get_ipython():
        shell.display_formatter.mimebundle_formatter.for_type(Box, shown)


def _within(widget: Widget, kind: type[Any]) -> Iterator[Any]:
    if isinstance(widget, kind):
        yield widget
    elif isinstance(widget, Box):
        for child in widget.children:
            yield from _within(child, kind)
