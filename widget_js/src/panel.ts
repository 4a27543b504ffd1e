import type { Model } from "./model";
import { View } from "./view";

/** A panel: HTML that Python made, of which a change replaces only what is new. */
export class Panel extends View {
  constructor(model: Model, root: HTMLElement) {
    super(model, root);
    this.shows.panel = () => this.fill("panel");
  }

  override async done(): Promise<void> {
    this.shows.panel!();
    await super.done();
  }
}
