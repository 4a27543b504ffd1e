import type { Model } from "./model";
import { View, tells } from "./view";

/** A panel: HTML that Python made, of which a change replaces only what is new. */
export class Panel extends View {
  constructor(model: Model, root: HTMLElement) {
    super(model, root);
    const panel = this.part(".panel");
    for (const name of ["pointerover", "focusin"]) {
      panel.addEventListener(name, (event) => this.account(event.target as Element));
    }
    panel.addEventListener("keydown", (event) => this.turn(event));
  }

  /** Say what the number counts that the keyboard has come to, else the one under the pointer. */
  private account(at: Element): void {
    const told = tells(this.root.querySelector(":focus-visible")) || tells(at);
    const account = this.part(".account");
    account.textContent = told;
    account.hidden = !told;
  }

  /** Arrows go from tab to tab, as they stand. */
  private turn(event: KeyboardEvent): void {
    const tab = (event.target as Element).closest("[role=tab]");
    if (!tab) return;
    const tabs = [...tab.parentElement!.querySelectorAll<HTMLElement>("[role=tab]")];
    const ahead = getComputedStyle(tab).direction === "rtl" ? -1 : 1;
    const at = tabs.indexOf(tab as HTMLElement);
    const to = { ArrowRight: at + ahead, ArrowLeft: at - ahead, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    tabs.at(to % tabs.length)!.focus();
  }
}
