"""What JupyterLab asks Python for: the picture of a journey document that is opened there.

An extension of the Jupyter server, which is there wherever JupyterLab is. The text comes with the
request, so that no path is looked up here and what is not saved yet is drawn too.
"""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado.web import authenticated


class PictureHandler(APIHandler):
    """Draws the document that is posted."""

    @authenticated
    @authorized("read", resource="contents")  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        """Answer with HTML: the picture, or every fault of the document."""
        locale = self.get_query_argument("locale", "en")
        # In a thread of its own: meanwhile the server has others to answer.
        self.finish({"html": await asyncio.to_thread(picture, self.request.body, locale)})


def picture(document: str | bytes, locale: str = "en") -> str:
    """A journey document as its canvas, without numbers; a faulty one as the list of its faults.

    Examples
    --------
    >>> print(picture('{"format": "journey/1", "journey_id": "spring"}'))
    <div role="alert"><p>To be mended before the journey can be drawn: 2</p><ul><li>versions: missing (add it)</li>...
    """
    # Loaded with the first document, so that no server starts later for it.
    from journey_nb.journey import Journey, JourneyError
    from journey_nb.render import canvas_alt, canvas_svg, figure_html
    from journey_nb.render.panels import template
    from journey_nb.render.text import clean
    from journey_nb.style import word
    from journey_nb.style.locales import asked

    try:
        asked(locale)
    except ValueError:  # JupyterLab speaks more languages than are shipped
        locale = "en"
    try:
        journey = Journey.from_json(document)
    except JourneyError as error:
        told = word("faults_of", locale, count=len(error.faults))
        return template("faults.html").render(told=told, faults=[clean(fault, 400) for fault in error.faults])
    alt = canvas_alt(journey, locale=locale)
    return figure_html(canvas_svg(journey, locale=locale), alt=alt, locale=locale).html


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "journey_nb.lab"}]


def _load_jupyter_server_extension(server: Any) -> None:
    web = server.web_app
    web.add_handlers(".*$", [(url_path_join(web.settings["base_url"], "journey-nb/picture"), PictureHandler)])
