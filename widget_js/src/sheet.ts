const LEAST = 0.02;
const MOST = 4;
const READABLE = 0.8; // smaller only when asked for
const MARGIN = 24;
const DRAG = 4; // pixels; less is a click

/** The picture on its stage: where it stands and how large it is. */
export class Sheet {
  private x = 0;
  private y = 0;
  private scale = 1;
  private room = 0; // how wide the stage was
  private held = false; // once the reader has moved it, it stays there
  /** Whether the last press moved the picture, and so was no click. */
  dragged = false;

  constructor(
    private readonly stage: HTMLElement,
    private readonly sheet: HTMLElement,
    private readonly moved: (view: DOMRect) => void,
  ) {
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.press(event));
  }

  private get size(): [number, number] {
    const svg = this.sheet.firstElementChild;
    return [Number(svg?.getAttribute("width")), Number(svg?.getAttribute("height"))];
  }

  /**
   * The first view: as wide as the stage, but readable, and its beginning. Anew in another room, or of another size;
   * of what the reader has moved, the middle stays there, and so does the part that is kept in sight.
   */
  place(kept?: Element, cover?: Element): void {
    const [wide, high] = this.size;
    const room = this.stage.clientWidth;
    if (!room || !wide) return;
    const more = this.room ? room - this.room : 0;
    this.room = room;
    if (this.held && more) {
      this.to(this.x + more / 2, this.y, this.scale);
      if (kept && cover) this.reveal(kept, cover);
    }
    if (this.held) return;
    const scale = Math.max(READABLE, Math.min(1, room / wide));
    this.stage.style.setProperty("--high", `${Math.ceil(high * scale)}px`);
    const first = this.sheet.querySelector("[data-point]")?.getBoundingClientRect();
    const middle = first ? (first.x + first.width / 2 - this.sheet.getBoundingClientRect().x) / this.scale : wide / 2;
    const x = wide * scale <= room + 1 ? (room - wide * scale) / 2 : room / 2 - middle * scale;
    this.to(x, 0, scale);
    this.held = false;
  }

  fit(): void {
    const [wide, high] = this.size;
    const { clientWidth, clientHeight } = this.stage;
    const scale = Math.min(1, clientWidth / wide, clientHeight / high);
    this.to((clientWidth - wide * scale) / 2, (clientHeight - high * scale) / 2, scale);
  }

  /** Zoom by a factor; what is at the place stays there (by default the middle). */
  zoom(factor: number, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2): void {
    const scale = Math.min(MOST, Math.max(LEAST, this.scale * factor));
    const by = scale / this.scale;
    this.to(x - (x - this.x) * by, y - (y - this.y) * by, scale);
  }

  /** Move a part of the picture into view, if it is not: beside what covers the stage, where there is room. */
  reveal(part: Element, cover: Element): void {
    const box = part.getBoundingClientRect();
    const all = this.stage.getBoundingClientRect();
    const over = cover.getBoundingClientRect(); // nothing while it is hidden
    const before = over.width ? over.left - all.left : all.width;
    const after = over.width ? all.right - over.right : 0;
    const room = { left: all.left, right: all.right, top: all.top, bottom: all.bottom };
    if (before >= after && before > box.width) room.right = all.left + before;
    else if (after > box.width) room.left = over.right;
    const into = (low: number, high: number, from: number, to: number) =>
      low < from + MARGIN ? from + MARGIN - low : high > to - MARGIN ? Math.max(to - MARGIN - high, from + MARGIN - low) : 0;
    this.to(
      this.x + into(box.left, box.right, room.left, room.right),
      this.y + into(box.top, box.bottom, room.top, room.bottom),
      this.scale,
    );
  }

  /** Bring a place of the picture to the middle. */
  centre(x: number, y: number): void {
    const { clientWidth, clientHeight } = this.stage;
    this.to(clientWidth / 2 - x * this.scale, clientHeight / 2 - y * this.scale, this.scale);
  }

  private to(x: number, y: number, scale: number): void {
    [this.x, this.y, this.scale, this.held] = [x, y, scale, true];
    this.sheet.style.transform = `translate(${x}px,${y}px) scale(${scale})`;
    const { clientWidth, clientHeight } = this.stage;
    this.moved(new DOMRect(-x / scale, -y / scale, clientWidth / scale, clientHeight / scale));
  }

  private wheel(event: WheelEvent): void {
    // A notebook scrolls by the wheel: the canvas takes it only from who works in it, or asks with Ctrl.
    if (!event.ctrlKey && !event.metaKey && !this.stage.matches(":focus-within")) return;
    event.preventDefault();
    const room = this.stage.getBoundingClientRect();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * 0.002), event.clientX - room.left, event.clientY - room.top);
  }

  private press(start: PointerEvent): void {
    this.dragged = false;
    if (start.button !== 0) return;
    const [x, y] = [this.x, this.y];
    const move = (event: PointerEvent) => {
      const [right, down] = [event.clientX - start.clientX, event.clientY - start.clientY];
      if (!this.dragged && Math.hypot(right, down) < DRAG) return;
      this.dragged = true;
      if (!this.stage.hasPointerCapture(start.pointerId)) this.stage.setPointerCapture(start.pointerId);
      this.stage.classList.add("moving");
      this.to(x + right, y + down, this.scale);
    };
    const end = () => {
      this.stage.classList.remove("moving");
      this.stage.removeEventListener("pointermove", move);
      for (const name of ["pointerup", "pointercancel"]) this.stage.removeEventListener(name, end);
    };
    this.stage.addEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) this.stage.addEventListener(name, end);
  }
}
