/**
 * Make one tree like another with as few changes as there are: where only numbers changed, only their
 * texts are. Focus, scroll positions and opened blocks stay where they are.
 */
export function morph(now: Element, next: Element): void {
  if (now.nodeName !== next.nodeName || key(now) !== key(next)) return now.replaceWith(next);
  if (now.hasAttribute("data-filling")) return; // in by the reader
  attributes(now, next);
  children(now, next);
}

export function children(now: Element, next: Element): void {
  const olds = [...now.childNodes];
  const news = [...next.childNodes];
  news.forEach((node, at) => {
    const old = olds[at];
    if (!old) now.append(node);
    else if (old instanceof Element && node instanceof Element) morph(old, node);
    else if (old.nodeType !== node.nodeType) old.replaceWith(node);
    else if (old.nodeValue !== node.nodeValue) old.nodeValue = node.nodeValue;
  });
  olds.slice(news.length).forEach((old) => old.remove());
}

export function html(text: string): Element {
  const holder = document.createElement("template");
  holder.innerHTML = text;
  const root = document.createElement("div");
  root.append(holder.content);
  return root;
}

const key = (node: Element) =>
  ["data-point", "data-branch", "data-key"].map((name) => node.getAttribute(name) ?? "").join("\n");

function attributes(now: Element, next: Element): void {
  for (const { name } of [...now.attributes]) {
    const opened = now.nodeName === "DETAILS" && name === "open"; // by the reader
    if (!opened && !next.hasAttribute(name)) now.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  // What a person has typed or chosen is not in the attributes.
  if (now instanceof HTMLOptionElement) now.selected = next.hasAttribute("selected");
  if (now instanceof HTMLInputElement) {
    now.checked = next.hasAttribute("checked");
    if (!now.matches(":focus")) now.value = next.getAttribute("value") ?? "";
  }
}
