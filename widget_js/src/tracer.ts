import { Canvas } from "./canvas";
import type { Model } from "./model";

/** A canvas with a panel beside it, whose HTML Python made. */
export class Tracer extends Canvas {
  constructor(model: Model, root: HTMLElement) {
    super(model, root);
    this.shows.panel = () => this.fill("panel");
  }

  protected override async done(): Promise<void> {
    this.shows.panel!();
    await super.done();
  }
}
