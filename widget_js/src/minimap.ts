const SVG = "http://www.w3.org/2000/svg";
export const MANY = 40; // points; fewer are soon found

/** Where one is in a large picture: its cards as small blocks, and the part in view. */
export class Minimap {
  private readonly view = document.createElementNS(SVG, "rect");

  constructor(
    private readonly map: SVGSVGElement,
    go: (x: number, y: number) => void,
  ) {
    this.view.setAttribute("class", "view");
    map.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      map.setPointerCapture(event.pointerId);
      at(event);
    });
    map.addEventListener("pointermove", (event) => map.hasPointerCapture(event.pointerId) && at(event));
    const at = (event: PointerEvent) => {
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM()!.inverse());
      go(place.x, place.y);
    };
  }

  draw(svg: SVGSVGElement): void {
    const cards = [...svg.querySelectorAll<SVGGElement>("[data-point]")];
    this.map.toggleAttribute("hidden", cards.length <= MANY);
    if (cards.length <= MANY) return this.map.replaceChildren();
    this.map.setAttribute("viewBox", svg.getAttribute("viewBox")!);
    const { width, height } = this.map.viewBox.baseVal;
    this.map.style.setProperty("--ratio", String(width / height));
    const blocks = cards.map((card) => {
      const block = card.querySelector(".c")!.cloneNode() as SVGElement;
      const place = card.getCTM()!;
      block.setAttribute("transform", `translate(${place.e} ${place.f})`);
      block.setAttribute("class", card.matches(".on, [aria-pressed=true]") ? "block on" : "block");
      return block;
    });
    this.map.replaceChildren(...blocks, this.view);
    this.line();
  }

  show(view: DOMRect): void {
    this.view.style.transform = `translate(${view.x}px,${view.y}px)`; // which needs no painting
    const changed = (["width", "height"] as const).filter((name) => this.view.getAttribute(name) !== String(view[name]));
    if (!changed.length) return;
    for (const name of changed) this.view.setAttribute(name, String(view[name]));
    this.line();
  }

  /** Its border is as wide whatever the map's scale: a stroke that does not scale would be painted anew in each frame. */
  private line(): void {
    this.view.setAttribute("stroke-width", String(2 / (this.map.getScreenCTM()?.a || 1)));
  }
}
