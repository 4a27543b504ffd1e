import { Canvas } from "./canvas";
import type { Model } from "./model";
import { Panel } from "./panel";
import { mount } from "./view";

const KINDS = { canvas: Canvas, panel: Panel };

export { page } from "./page";

export default {
  render: ({ model, el }: { model: Model; el: HTMLElement }) => mount(KINDS[model.get("kind") as keyof typeof KINDS], model, el),
};
