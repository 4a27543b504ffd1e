"""A live view in a bare page, with its real Python half behind it and a strict stand-in for the model between."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ipywidgets import DOMWidget

import journey_nb as jn
from journey_nb.style.words import _WORDS
from journey_nb.widgets.workspace import Head

ROOT = Path(__file__).resolve().parents[1]
AXE = ROOT / "widget_js/node_modules/axe-core/axe.min.js"

# As strict as the real one is not: unknown traits and events, and what is no JSON, are errors.
MODEL = """async ({esm, state, dir, view, model}) => {
  document.documentElement.dir = dir;
  const bytes = text => new DataView(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
  const read = state => Object.fromEntries(Object.entries(state).map(([k, v]) => [k, v && v.bytes !== undefined ? bytes(v.bytes) : v]));
  const known = (traits, name) => { if (!(name in traits)) throw new Error('no trait ' + name); };
  class Model {
    traits = read(state); dirty = {}; heard = []; sent = []; pending = 0;
    get(name) { known(this.traits, name); return this.traits[name]; }
    set(name, value) {
      known(this.traits, name);
      if (Object.is(this.traits[name], value)) return;
      this.traits[name] = this.dirty[name] = value;
      this.tell('change:' + name);
    }
    save_changes() { const dirty = this.dirty; this.dirty = {}; this.ask('set', dirty); }
    send(content) { this.sent.push(content); this.ask('ask', JSON.parse(JSON.stringify(content))); }
    on(event, callback) {
      if (event !== 'msg:custom') { if (!event.startsWith('change:')) throw new Error('no event ' + event); known(this.traits, event.slice(7)); }
      this.heard.push([event, callback]);
    }
    off(event, callback) {
      const at = this.heard.findIndex(([e, c]) => e === event && c === callback);
      if (at < 0) throw new Error('never heard ' + event);
      this.heard.splice(at, 1);
    }
    tell(event, message, buffers) { for (const [e, c] of [...this.heard]) if (e === event) c(message, buffers); }
    async ask(kind, content) {
      this.pending += 1;
      this.hear(await kernel(view, kind, content));
      this.pending -= 1;
    }
    hear({state, messages}) {
      Object.assign(this.traits, read(state));
      for (const name of Object.keys(state)) this.tell('change:' + name);
      for (const [message, buffers] of messages) this.tell('msg:custom', message, buffers.map(bytes));
    }
  }
  const half = (await import(URL.createObjectURL(new Blob([esm], {type: 'text/javascript'})))).default;
  window[model] = new Model();
  const el = document.createElement('main');
  document.body.style.margin = '8px';
  document.documentElement.lang = 'en';
  document.body.append(el);
  window.dispose = await half.render({model: window[model], el});
}"""

# What hands have done to elements that have an action.
HANDS = """
window.handled ??= new Set();
for (const kind of ['click', 'input', 'pointerdown']) addEventListener(kind, event => {
  const at = event.composedPath().find(e => e.dataset?.action);
  if (at) handled.add(at.dataset.action);
}, true);
"""


MEDIA = ("media", "color_scheme", "reduced_motion", "forced_colors", "contrast")


class Sheet:
    """A page that bears a live view, or several side by side, and then others: to open one costs twice as much.

    Whatever it complains of or asks the network for is kept until it is cleared.
    """

    def __init__(self, browser: Any) -> None:
        self.views: list[Live] = []
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: (self.faults.append(dialog.message), dialog.dismiss()))
        self.page.expose_function("kernel", lambda view, *asked: self.views[view - 1]._kernel(*asked))
        self.clear()

    def clear(self) -> None:
        """Let go of all that stood there, which may have done nothing wrong: the next finds the page as if it were new."""
        self.page.mouse.move(0, 0)
        self.page.goto("about:blank")
        self.page.set_content("<!DOCTYPE html><title>A notebook</title>")
        self.page.evaluate(HANDS)
        faults, requests = self.faults.copy(), self.requests.copy()
        for kept in (self.views, self.faults, self.requests):
            kept.clear()
        asked = [url for url in requests if not url.startswith(("data:", "blob:", "about:"))]
        assert (faults, asked) == ([], []), (faults, asked)


class Live:
    """A widget on a page, in a place so wide and with media such as a colour scheme.

    Another may stand beside it on the same page; its model is called model2 there.
    """

    def __init__(
        self, sheet: Sheet, widget: Any, *, width: int = 1100, dir: str = "ltr", **media: str
    ) -> None:
        self.widget, self.sheet, self.page = widget, sheet, sheet.page
        sheet.views.append(self)
        self.number = len(sheet.views)
        self._changed: set[str] = set()
        self._messages: list[Any] = []
        self._met: set[str] = set()
        widget.observe(lambda change: self._changed.add(change["name"]), list(_synced(widget)))
        widget.send = self._send
        if self.number == 1:
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.emulate_media(**dict.fromkeys(MEDIA, "null") | media)
        state = self._state(_synced(widget))
        given = {"esm": widget._esm, "state": state, "dir": dir, "view": self.number, "model": self._model}
        self.page.evaluate(MODEL, given)
        shown = ".sheet > svg" if widget.kind == "canvas" else ".panel > *"
        self.page.locator("main").nth(self.number - 1).locator(shown).first.wait_for()

    @property
    def _model(self) -> str:
        return "model" if self.number == 1 else f"model{self.number}"

    def _kernel(self, kind: str, content: Any) -> dict[str, Any]:
        if kind == "set":
            for name, value in content.items():
                self.widget.set_trait(name, value)
            self._changed -= set(content)
        else:
            self.widget._handle_custom_msg(content, [])
            if not self.widget.error:
                self._met.add(content["action"])
        return self._news()

    @property
    def done(self) -> set[str]:
        """The actions that the kernel has met without an error, and those that the browser has done alone."""
        return self._met | set(self.page.evaluate("[...handled]")) - set(self.widget._actions)

    def _send(self, message: Any, buffers: Any = ()) -> None:
        self._messages.append((message, [base64.b64encode(buffer).decode() for buffer in buffers]))

    def push(self) -> None:
        """Hand the page what code has changed in Python."""
        self.page.evaluate(f"news => window.{self._model}.hear(news)", self._news())

    def _news(self) -> dict[str, Any]:
        news = {"state": self._state(self._changed), "messages": list(self._messages)}
        self._changed.clear()
        self._messages.clear()
        return news

    def _state(self, names: Any) -> dict[str, Any]:
        values = {name: getattr(self.widget, name) for name in names}
        return {
            name: {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
            for name, value in values.items()
        }

    def settle(self) -> None:
        """Until what was done is told, the kernel has answered and the picture is the newest."""
        # A window that Escape has closed says so a task later.
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        self.page.wait_for_function(f"window.{self._model}.pending === 0")
        self.page.wait_for_selector(f"main:nth-of-type({self.number}) .view:not([aria-busy])")


def tried(names: Mapping[str, Any]) -> dict[str, Callable[[Live], None]]:
    """By action, the functions ``tries_…`` of a module, each of which brings about what the action must."""
    return {
        name.removeprefix("tries_").replace("_", "-"): function
        for name, function in names.items()
        if name.startswith("tries_")
    }


def of_kernel() -> set[str]:
    """The actions that one live view or another meets."""
    views = (Head, jn.JourneyCanvas, jn.Dashboard, jn.PathTracer, jn.JourneyList)
    return {action for view in views for action in view._actions}


def listed() -> set[str]:
    """What templates, what Python draws and the browser's half ask for, and what views meet."""

    def read(folder: str, names: str) -> str:
        return "\n".join(path.read_text("utf-8") for path in sorted((ROOT / folder).glob(names)))

    # The first argument of the macro menu and of _link is an action; detail.html is handed the folded block's.
    written = {
        r'data-(?:action|typed)="([\w-]+)"|menu\("([\w-]+)"': read("journey_nb/render/templates", "*.html"),
        r'action="([\w-]+)"|_link\(\s*"([\w-]+)"|menu\.menu\(\s*"([\w-]+)"': read(
            "journey_nb/render", "*.py"
        ),
        r'\bask\("([\w-]+)"|action === "([\w-]+)"|\{ action: "([\w-]+)"': read("widget_js/src", "*.ts"),
    }
    found = {
        name for pattern, text in written.items() for names in re.findall(pattern, text) for name in names
    }
    return found - {""} | of_kernel()


# Where the theme is another only colours are.
RULES = {"light": None, "dark": ["color-contrast", "link-in-text-block"]}


def serious(live: Live) -> list[str]:
    """What axe finds that is serious, in the light theme and, of its colours, in the dark one."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed; make lint installs it")
    live.page.evaluate(AXE.read_text("utf-8"))
    found = []
    for scheme, rules in RULES.items():
        live.page.emulate_media(color_scheme=scheme)
        live.page.wait_for_selector(f".jnb-live[data-theme={scheme}]")
        options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
        found += live.page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]} {v['nodes'][0]['failureSummary'][:300]}" for v in found
            if v["impact"] in ("serious", "critical")]  # fmt: skip


def fits(page: Any, width: int, pieces: str) -> int:
    """Nothing stands out of the page, and none of these pieces out of the view; how many of them are seen."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    room = page.locator(".view").bounding_box()
    # All at once: to ask for one after the other takes a second.
    boxes = page.locator(pieces).evaluate_all(
        "all => all.filter(e => e.getClientRects().length).map(e => e.getBoundingClientRect().toJSON())"
    )
    for box in boxes:
        assert room["x"] - 1 <= box["x"], box
        assert box["x"] + box["width"] <= room["x"] + room["width"] + 1, box
    assert boxes
    return len(boxes)


def english(live: Live, locale: str) -> set[str]:
    """The dictionary's English words that a French or Korean view has left, in texts and in what is said."""
    place = {"fr": 1, "ko": 2}[locale]
    words = {
        words[0]
        for words in _WORDS.values()
        if words[0] not in words[place : place + 1] and "{" not in words[0]
    }
    kept = {words[place] for words in _WORDS.values()}
    texts = live.page.evaluate("""() => {
      const view = document.querySelector('.jnb-live').shadowRoot.querySelector('.view');
      const found = [], walk = document.createTreeWalker(view, NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) found.push(walk.currentNode.textContent.trim());
      for (const name of ['aria-label', 'aria-description', 'title', 'placeholder'])
        for (const e of view.querySelectorAll(`[${name}]`)) found.push(e.getAttribute(name));
      return found;
    }""")
    return {text for text in texts if text in words - kept}


def _synced(widget: Any) -> set[str]:
    """The traits of ours that travel."""
    return {name for name in widget.traits(sync=True) if not name.startswith("_")} - set(
        DOMWidget.class_traits()
    )
