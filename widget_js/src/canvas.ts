import { Minimap } from "./minimap";
import { type Model, unzip } from "./model";
import { children, html, morph } from "./morph";
import { Sheet } from "./sheet";
import { View, tells } from "./view";

const STEP = 1.25; // of a zoom by key or button

type Card = SVGGElement;

/** The live canvas: what Python drew, brought to life. Everything said or shown was made there. */
export class Canvas extends View {
  private readonly sheet: Sheet;
  private readonly map: Minimap;
  private hint = "";
  private came = new Map<string, string>(); // from which point each was last reached by arrow
  private turn = 0;
  private drawing: Promise<void> = Promise.resolve();
  private svg?: SVGSVGElement;

  constructor(model: Model, root: HTMLElement) {
    super(model, root);
    const { frame } = this.shows;
    Object.assign(this.shows, {
      frame: () => {
        frame!();
        this.hint = this.part(".account").textContent!;
      },
      picture: () => void (this.drawing = this.draw()),
      metrics: () => this.root.classList.toggle("quiet", !this.model.get("metrics")),
      selected: () => this.mark(),
      detail: () => this.detail(),
    });
    this.sheet = new Sheet(this.part(".stage"), this.part(".sheet"), (view) => this.map?.show(view));
    this.map = new Minimap(this.part<SVGSVGElement>(".map"), (x, y) => this.sheet.centre(x, y));
    this.part(".stage").tabIndex = -1;
    this.listen();
    const resized = () => this.sheet.place(this.card(this.model.get("selected")), this.part(".detail"));
    new ResizeObserver(resized).observe(this.part(".stage"));
  }

  private get cards(): Card[] {
    return [...this.root.querySelectorAll<Card>(".sheet [data-point]")];
  }

  private card(point: string | null): Card | undefined {
    return this.cards.find((card) => card.dataset.point === point);
  }

  protected override async done(): Promise<void> {
    await this.drawing;
    await super.done();
  }

  private async draw(): Promise<void> {
    const turn = ++this.turn;
    const text = await unzip(this.model.get("picture"));
    if (turn !== this.turn) return; // a newer one came meanwhile
    const next = new DOMParser().parseFromString(text, "image/svg+xml").documentElement as unknown as SVGSVGElement;
    this.dress(next);
    const focused = this.focused?.dataset.point;
    if (this.svg) morph(this.svg, next);
    else this.part(".sheet").append(next);
    this.svg = this.part<SVGSVGElement>(".sheet > svg");
    this.sheet.place();
    this.mark();
    if (focused !== undefined && !this.focused) this.card(focused)?.focus({ preventScroll: true });
  }

  /** Cards become buttons, and the stage is called what the picture was. */
  private dress(svg: SVGSVGElement): void {
    this.part(".stage").setAttribute("aria-label", svg.getAttribute("aria-label") ?? "");
    svg.setAttribute("role", "presentation");
    svg.removeAttribute("aria-label");
    svg.querySelectorAll(":scope > title, :scope > desc").forEach((told) => told.remove());
    for (const card of svg.querySelectorAll<Card>("[data-point]")) {
      card.setAttribute("role", "button");
      card.setAttribute("aria-haspopup", "dialog");
      // Called by what it shows; its whole account is said after that.
      card.setAttribute("aria-description", card.querySelector("title")?.textContent ?? "");
      card.querySelector("title")?.remove();
    }
  }

  /** Show which card is selected; it, else the first, is where Tab enters. */
  private mark(): void {
    const cards = this.cards;
    const chosen = this.card(this.model.get("selected"));
    const entry = this.focused ?? chosen ?? cards[0];
    for (const card of cards) {
      card.setAttribute("aria-pressed", String(card === chosen));
      card.setAttribute("tabindex", card === entry ? "0" : "-1");
    }
    if (this.svg) this.map.draw(this.svg);
  }

  private get focused(): Card | undefined {
    return this.cards.find((card) => card.matches(":focus"));
  }

  private select(point: string | null): void {
    this.model.set("selected", point);
    this.model.save_changes();
    this.mark();
  }

  /** Select a point that is named elsewhere in the view, and bring it into sight; the focus stays there. */
  private reveal(point: string): void {
    const card = this.card(point);
    this.part(".stage").scrollIntoView({ block: "nearest" });
    if (card) this.sheet.reveal(card, this.part(".detail"));
    this.select(point);
  }

  private go(card: Card | undefined, from?: string): void {
    if (!card) return;
    if (from !== undefined) this.came.set(card.dataset.point!, from);
    card.focus({ preventScroll: true });
    this.sheet.reveal(card, this.part(".detail"));
    this.select(card.dataset.point!);
  }

  private detail(): void {
    const window = this.part(".detail");
    const text: string = this.model.get("detail");
    const [was, had] = [!window.hidden, window.contains((this.root.getRootNode() as ShadowRoot).activeElement)];
    const name = window.querySelector("[role=dialog]")?.getAttribute("aria-label");
    const next = html(text);
    if (next.querySelector("[role=dialog]")?.getAttribute("aria-label") !== name) window.replaceChildren();
    children(window, next);
    window.hidden = !text;
    if (text && !was) {
      // Of several views, only the one where it was opened takes the focus; what code opens takes nobody's.
      if (this.asked === "open") window.querySelector<HTMLElement>("h2")?.focus({ preventScroll: true });
      const card = this.card(this.model.get("selected"));
      if (card) this.sheet.reveal(card, window);
    }
    if (!text && had) (this.card(this.model.get("selected")) ?? this.part<HTMLElement>(".stage")).focus({ preventScroll: true });
  }

  protected override orphan(): void {
    if (this.asked === "close") this.part(".detail").hidden = true;
    super.orphan();
  }

  private listen(): void {
    const { root } = this;
    const stage = this.part(".stage");
    const cardOf = (event: Event) => (event.target as Element).closest<Card>("[data-point]");
    stage.addEventListener("click", (event) => {
      if (this.sheet.dragged) return;
      const card = cardOf(event);
      if (card) card.focus({ preventScroll: true });
      this.select(card?.dataset.point ?? null);
    });
    stage.addEventListener("dblclick", (event) => {
      const card = cardOf(event);
      if (card) this.ask("open", { point: card.dataset.point });
    });
    for (const name of ["pointerover", "focusin"]) {
      root.addEventListener(name, (event) => this.account(event.target as Element));
    }
    stage.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("keydown", (event) => {
      const search = (event.target as Element).closest("[role=search]");
      if (search) return this.offer(event, search);
      if (event.key !== "Escape") return;
      if (this.model.get("detail")) this.ask("close");
      else this.select(null);
    });
  }

  /** Say what a number counts; of a card that is elsewhere under the pointer or the focus, its account. */
  private account(at: Element): void {
    const onStage = at.closest(".stage");
    if (!onStage && !at.closest(".detail, .panel")) return;
    const key = at.closest<SVGElement>("[data-key]")?.dataset.key?.split(".") ?? [];
    const meaning = this.model.get("meanings")[`${key[0]}.${key.at(-1)}`];
    const card = onStage && (at.closest<Card>("[data-point]") ?? this.focused);
    const told = meaning || (onStage ? card?.getAttribute("aria-description") : tells(at));
    this.part(".account").textContent = told || this.hint;
  }

  /** Arrows go through what is offered under the field, Escape puts it away. */
  private offer(event: KeyboardEvent, search: Element): void {
    const stops = [...search.querySelectorAll<HTMLElement>("input, .offers button")];
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) stops[stops.indexOf(event.target as HTMLElement) + by]?.focus();
    else if (event.key === "Escape" && stops.length > 1) {
      stops[0]!.focus();
      this.ask("suggest", { value: "" });
    } else return;
    event.preventDefault();
  }

  protected override press(action: string, what: DOMStringMap): void {
    if (action === "find") {
      const field = this.part<HTMLInputElement>("[name=user]"); // what was offered goes
      field.value = what.user!;
      field.focus();
    }
    if (action === "zoom-in") this.sheet.zoom(STEP);
    else if (action === "zoom-out") this.sheet.zoom(1 / STEP);
    else if (action === "fit") this.sheet.fit();
    else if (action === "show") this.reveal(what.point!);
    else super.press(action, what);
  }

  protected override choose(field: HTMLInputElement): void {
    if (field.dataset.action !== "metrics") return super.choose(field);
    this.model.set("metrics", field.checked);
    this.model.save_changes();
    this.shows.metrics!();
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = this.focused;
    const point = here?.dataset.point ?? "";
    const keys: Record<string, () => void> = {
      "+": () => this.sheet.zoom(STEP),
      "=": () => this.sheet.zoom(STEP),
      "-": () => this.sheet.zoom(1 / STEP),
      "0": () => this.sheet.fit(),
      Home: () => this.go(this.cards[0]),
      End: () => this.go(this.cards.at(-1)),
      Enter: () => here && this.ask("open", { point }),
      " ": () => here && this.select(point),
      ArrowDown: () => this.go(this.next(point), point),
      ArrowUp: () => this.go(this.card(this.source(point) ?? null)),
      ArrowLeft: () => this.aside(point, -1),
      ArrowRight: () => this.aside(point, 1),
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    if (here || !event.key.startsWith("Arrow")) act();
    else this.go(this.card(this.model.get("selected")) ?? this.cards[0]);
  }

  private get graph(): Record<string, string[]> {
    return this.model.get("graph");
  }

  private next(point: string): Card | undefined {
    return this.graph[point]?.map((target) => this.card(target)).find((card) => card);
  }

  /** The point before: the one that arrows came from, else the first that leads here. */
  private source(point: string): string | undefined {
    return this.came.get(point) ?? Object.keys(this.graph).find((from) => this.graph[from]!.includes(point));
  }

  /** To the branch beside this one, as they stand from left to right. */
  private aside(point: string, by: number): void {
    const from = this.source(point);
    const beside = this.cards.filter((card) => {
      const other = card.dataset.point!;
      return from === undefined ? this.source(other) === undefined : this.graph[from]!.includes(other);
    });
    const left = (card: Card) => card.getBoundingClientRect().left;
    beside.sort((one, two) => left(one) - left(two));
    const card = beside[beside.findIndex((other) => other.dataset.point === point) + by];
    this.go(card, from);
  }
}
