import { documents } from "./documents";
import { type Scope, sharedFrom } from "./lab";
import { views } from "./views";

declare global {
  var _JUPYTERLAB: Record<string, object> | undefined;
}

let scope: Scope = {};

const parts: Record<string, (shared: ReturnType<typeof sharedFrom>) => Promise<object>> = {
  "./extension": views,
  "./mimeExtension": documents,
};

// What webpack would make of an extension, without webpack: a container that JupyterLab hands its packages to.
(globalThis._JUPYTERLAB ??= {})["journey-nb"] = {
  init(given: Scope) {
    scope = given;
  },
  async get(part: string) {
    const made = await parts[part]!(sharedFrom(scope));
    return () => ({ __esModule: true, default: made });
  },
};
