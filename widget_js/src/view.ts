import type { Model } from "./model";
import { children, html } from "./morph";
import { follow } from "./theme";

const PAUSE = 150; // milliseconds without a key, after which what is typed is asked about

const PATIENCE = 1_000; // more of them than three pauses without an answer, after which who looked is gone

const OPENING = ["export", "manage"]; // what is answered with a window

const LOST = 60_000; // after so many ms without an answer, it was lost with the connection

/**
 * What every live view does: show the strings that Python made, and ask the kernel for what the reader does
 * to an element with `data-action`. A form, a button and a field each say what they have.
 */
export class View {
  // Of several views of one model, as JupyterLab makes them, each knows its own requests by this.
  private readonly token = Math.random().toString(36).slice(2);
  protected asked = ""; // the last action it asked for, until that is answered
  private waiting = 0; // the timer of that answer
  private leads = true; // of these, one looks at what is watched
  private looking = 0; // the timer of the next look
  private pause = 0; // and of what is being typed

  constructor(
    protected readonly model: Model,
    protected readonly root: HTMLElement,
  ) {
    root.innerHTML = model.get("frame");
    if (this.part(".panel")) this.shows.panel = () => this.fill("panel");
  }

  /** What to do when a trait changes. */
  readonly shows: Record<string, () => void> = {
    frame: () => this.name(),
    tools: () => {
      this.fill("tools");
      if (this.part("[data-filling]")) this.part<HTMLSelectElement>("[data-action=period]").value = "custom"; // as its form
    },
    error: () => this.fill("error"),
    said: () => this.part(".said").replaceChildren(this.model.get("said")),
    every: () => this.look(),
    comes: () => this.come(),
    export: () => this.exporting(),
  };

  /** Call its parts as the frame does now, in another language perhaps; what fills them stays. */
  private name(): void {
    for (const part of html(this.model.get("frame")).querySelectorAll("[class]")) {
      const mine = this.part(`.${part.getAttribute("class")}`);
      for (const name of ["aria-label", "lang"]) if (part.hasAttribute(name)) mine.setAttribute(name, part.getAttribute(name)!);
      if (part.matches(".unanswered, .account")) mine.innerHTML = part.innerHTML;
    }
  }

  /** Called once, when all of it is there. */
  start(): void {
    const { root } = this;
    root.addEventListener("click", (event) => {
      const button = (event.target as Element).closest<HTMLButtonElement>("button[data-action]");
      if (!button) return;
      shut(button.closest<HTMLDetailsElement>("details.menu"));
      this.press(button.dataset.action!, { ...button.dataset });
    });
    root.addEventListener("keydown", (event) => {
      const menu = event.key === "Escape" && (event.target as Element).closest<HTMLDetailsElement>("details.menu");
      if (menu) shut(menu);
    });
    root.addEventListener("change", (event) => this.choose(event.target as HTMLInputElement));
    root.addEventListener("beforeinput", (event) => event.stopPropagation()); // JupyterLab lets no Enter through to a form
    const exporting = this.part(".export");
    exporting.addEventListener("keydown", (event) => event.stopPropagation()); // the window's keys are its own
    exporting.addEventListener("close", () => this.model.get("export") && this.ask("export-close"));
    root.addEventListener("input", (event) => this.type(event.target as HTMLInputElement));
    root.addEventListener("submit", (event) => {
      event.preventDefault();
      const form = event.target as HTMLFormElement;
      this.ask(form.dataset.action!, { ...form.dataset, ...Object.fromEntries(new FormData(form)) });
    });
    for (const show of Object.values(this.shows)) show();
  }

  /** What the reader has opened elsewhere comes into sight, once it has its place. */
  private come(): void {
    if (!this.model.get("comes")) return;
    this.model.set("comes", false); // another view of it, or of a page that is loaded again, stays where it is
    this.model.save_changes();
    const placed = new ResizeObserver(() => {
      placed.disconnect();
      if (this.root.getBoundingClientRect().bottom > innerHeight) this.root.scrollIntoView();
    });
    placed.observe(this.root);
  }

  /** While something is watched: ask what is new, now and then, one question at a time, when it can be seen. */
  private look(): void {
    clearTimeout(this.looking);
    const every: number = this.model.get("every");
    if (!every) return;
    // One that follows is told whatever another asked for; it takes the lead where it hears nothing any more.
    const pause = every * 1000 * (this.leads ? 1 : 3) + (this.leads ? 0 : PATIENCE);
    this.looking = window.setTimeout(() => {
      const seen = !document.hidden && this.root.checkVisibility({ contentVisibilityAuto: true });
      if (!seen) return this.look();
      this.send("look");
      this.looking = window.setTimeout(() => this.look(), LOST); // unless it is answered
    }, pause);
  }

  /** What the kernel says: that a request, of this view or another, was met or refused. */
  heard({ done, save, view }: { done?: string; save?: string; view?: string }, buffers: DataView[]): void {
    if (save) {
      if (view === this.token) keep(save, buffers[0]!);
    } else if (done === "look") {
      this.leads = view === this.token;
      this.look();
    } else if (view === this.token) {
      this.exporting(); // which may say what it said to another view
      if (done === this.asked) this.asked = "";
      this.wait();
      void this.done();
    }
  }

  /**
   * A window over the rest, which stays open while something is being exported or changed. It opens where it was
   * asked for alone: one that nobody can see would keep the whole page from being used.
   */
  private exporting(): void {
    const window = this.part<HTMLDialogElement>(".export");
    this.fill("export");
    this.wait(); // anew, while it says how far a file is
    if (!this.model.get("export")) window.close();
    else if (!window.open && OPENING.includes(this.asked) && this.root.checkVisibility()) window.showModal();
  }

  stop(): void {
    clearTimeout(this.looking);
    clearTimeout(this.pause);
    clearTimeout(this.waiting);
  }

  /** What was chosen meanwhile is put as it is now. */
  protected async done(): Promise<void> {
    this.root.removeAttribute("aria-busy");
    this.shows.error!();
    this.shows.panel?.();
    this.shows.tools!();
  }

  private wait(): void {
    clearTimeout(this.waiting);
    if (this.asked) this.waiting = window.setTimeout(() => void this.unanswered(), LOST); // there may be much to count
  }

  /** Say that there is no answer, and show what is so; one that comes late is shown as any. */
  private async unanswered(): Promise<void> {
    clearTimeout(this.waiting);
    await this.done();
    children(this.part(".error"), html(this.part(".unanswered").innerHTML));
  }

  /** Without a kernel, its windows are closed here. */
  protected orphan(): void {
    this.part<HTMLDialogElement>(".export").close();
    void this.unanswered();
  }

  protected part<E extends Element = HTMLElement>(selector: string): E {
    return this.root.querySelector<E>(selector)!;
  }

  /** The part called as the trait is, made as the trait's HTML is. */
  protected fill(trait: string): void {
    children(this.part(`.${trait}`), html(this.model.get(trait)));
  }

  protected ask(action: string, what: object = {}): void {
    clearTimeout(this.pause); // what was half typed is settled
    this.asked = action;
    if (action === "dates" || action === "period") this.part("[data-filling]")?.removeAttribute("data-filling");
    this.root.setAttribute("aria-busy", "true");
    this.wait();
    if (!this.send(action, what)) this.orphan();
  }

  /** False where there is no way to the kernel any more, as in JupyterLab after a restart. */
  private send(action: string, what: object = {}): boolean {
    try {
      this.model.send({ ...what, action, view: this.token });
      return true;
    } catch {
      return false;
    }
  }

  private type(field: HTMLInputElement): void {
    const { dataset, value } = field;
    const dates = field.closest<HTMLFormElement>("form[data-action=dates]");
    if (dates) dates.dataset.filling = ""; // by the reader, until they are applied or a period is chosen instead
    if (!dataset.typed) return;
    clearTimeout(this.pause);
    this.pause = window.setTimeout(() => this.ask(dataset.typed!, { value }), PAUSE);
  }

  protected press(action: string, what: DOMStringMap): void {
    this.ask(action, { ...what });
  }

  protected choose(field: HTMLInputElement): void {
    const { action } = field.dataset;
    if (!action) return;
    if (action === "period" && field.value === "custom") {
      const dates = this.part<HTMLFormElement>("form[data-action=dates]");
      dates.dataset.filling = "";
      dates.hidden = false;
      dates.querySelector("input")!.focus();
    } else this.ask(action, { ...field.dataset, value: field.type === "checkbox" ? field.checked : field.value });
  }
}

/** A menu of which something was chosen, so that it opens nowhere else when rows change places. */
function shut(menu: HTMLDetailsElement | null): void {
  if (!menu?.open) return;
  menu.open = false;
  menu.querySelector("summary")!.focus();
}

/** A file of the kernel's, kept as the reader's browser keeps files. */
function keep(name: string, bytes: DataView): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes as DataView<ArrayBuffer>]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** What an element says of itself; a cell's number is told by its heading. */
export function tells(at: Element | null): string {
  const cell = at?.closest<HTMLTableCellElement>("td");
  const heading = cell?.closest("table")?.tHead?.rows[0]?.cells[cell.cellIndex];
  return (at?.closest("[title]") ?? heading)?.getAttribute("title") ?? "";
}

/** Put a view into an element of the host's; what is returned takes it away. */
export function mount(kind: new (model: Model, root: HTMLElement) => View, model: Model, el: HTMLElement): () => void {
  const host = document.createElement("div");
  host.className = "jnb-live";
  host.dataset.lmSuppressShortcuts = "true"; // keys are ours here, not the notebook's
  const shadow = host.attachShadow({ mode: "open" });
  const style = document.createElement("style");
  style.textContent = model.get("css");
  const root = document.createElement("div");
  root.className = "view";
  shadow.append(style, root);
  el.append(host);
  const theme = follow(host, () => model.get("theme"));
  const view = new kind(model, root);
  view.start();
  const heard: [string, (message: any, buffers: DataView[]) => void][] = [
    ...Object.entries(view.shows).map(([name, show]): [string, () => void] => [`change:${name}`, show]),
    ["change:theme", theme.now],
    ["msg:custom", (message, buffers) => view.heard(message, buffers)],
  ];
  for (const [event, callback] of heard) model.on(event, callback);
  return () => {
    theme.stop();
    view.stop();
    for (const [event, callback] of heard) model.off(event, callback);
  };
}
