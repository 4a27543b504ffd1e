/** Keep `host` in the theme that was asked for, the notebook's, or the reader's. Returns how to stop. */
export function follow(host: HTMLElement, wanted: () => string): { now(): void; stop(): void } {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const now = () => {
    const lab = document.body.dataset.jpThemeLight;
    const isDark = lab === undefined ? system.matches : lab === "false";
    host.dataset.theme = wanted() === "auto" ? (isDark ? "dark" : "light") : wanted();
  };
  const watch = new MutationObserver(now);
  watch.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  system.addEventListener("change", now);
  now();
  return {
    now,
    stop() {
      watch.disconnect();
      system.removeEventListener("change", now);
    },
  };
}
