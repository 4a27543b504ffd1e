import { Canvas } from "./canvas";
import { type Model, unzip } from "./model";
import { html, morph } from "./morph";
import { mount } from "./view";

/** What Python computed for a page: the canvas as it is with each period, and with each user lit up in it. */
interface States {
  traits: Record<string, any>;
  period: string;
  user: string;
  pictures: Record<string, Record<string, { picture: string; alt: string; said: string; graph: object; tools: [string, string] }>>;
  details: Record<string, Record<string, string>>;
  tables: Record<string, string>;
}

type Hears = (message: any, buffers: DataView[]) => void;

/** A model without a kernel: it answers out of what was computed. */
class Kept implements Model {
  private heard: [string, Hears][] = [];
  private opened = "";
  private readonly answers: Record<string, (asked: { value: string; point: string }) => void> = {
    period: ({ value }) => this.show(value, this.states.user),
    user: ({ value }) => this.show(this.states.period, value),
    open: ({ point }) => this.open(point),
    close: () => this.open(""),
  };

  constructor(private readonly states: States) {
    Object.assign(states.traits, this.now);
  }

  get now() {
    return this.states.pictures[this.states.period]![this.states.user]!;
  }

  get tables(): string {
    return this.states.tables[this.states.period]!;
  }

  get(name: string): any {
    const { traits } = this.states;
    return name === "tools" ? traits.tools[Number(traits.metrics)] : traits[name];
  }

  set(name: string, value: unknown): void {
    if (this.states.traits[name] === value) return;
    this.states.traits[name] = value;
    this.tell(`change:${name}`);
  }

  save_changes(): void {} // nobody else is to be told

  on(event: string, hears: Hears): void {
    this.heard.push([event, hears]);
  }

  off(event: string, hears: Hears): void {
    this.heard = this.heard.filter(([name, other]) => name !== event || other !== hears);
  }

  send(asked: any): void {
    this.answers[asked.action]?.(asked);
    this.tell("msg:custom", { done: asked.action, view: asked.view });
  }

  private tell(event: string, message?: unknown): void {
    for (const [name, hears] of [...this.heard]) if (name === event) hears(message, []);
  }

  private show(period: string, user: string): void {
    Object.assign(this.states, { period, user });
    for (const [name, value] of Object.entries(this.now)) this.set(name, value);
    this.open(this.opened);
  }

  private open(point: string): void {
    this.opened = point;
    this.set("detail", this.states.details[this.states.period]![point] ?? "");
  }
}

/**
 * Bring the picture of a page to life. The picture itself stays for the printer, and its tables for the
 * reader, both of what is chosen.
 */
export async function page(data: string): Promise<void> {
  const text = await unzip(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)));
  const model = new Kept(JSON.parse(text));
  const figure = document.querySelector<HTMLElement>(".jnb-figure")!;
  const still = figure.querySelector<HTMLElement>(":scope > div")!;
  model.on("change:picture", () => {
    const image = still.querySelector("img")!;
    image.src = `data:image/svg+xml,${encodeURIComponent(model.now.picture)}`;
    image.alt = model.now.alt;
    image.removeAttribute("width");
    const next = html(model.tables).querySelectorAll(":scope > details");
    figure.querySelectorAll(":scope > details").forEach((table, at) => morph(table, next[at]!));
  });
  const place = document.createElement("div");
  still.before(place);
  mount(Canvas, model, place);
  still.className = "jnb-still";
}
