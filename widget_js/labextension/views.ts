import type { MimeModel, NotebookPanel, Renderer, Shared } from "./lab";

const VIEW = "application/x-journey-nb.view+json";
const WIDGET = "application/vnd.jupyter.widget-view+json";

// A view is two outputs of its notebook: the live one, then its picture. These are the rules that trusted outputs carry
// along (`_TWIN` in widgets/_base.py) where there is no extension; and pictures follow the theme of JupyterLab.
const STYLE = `
.jp-OutputArea-child:has(>.jnb-view):not(:has(.jnb-live)){display:none}
.jp-OutputArea-child:has(.jnb-live)+.jp-OutputArea-child:has(.jnb-static){display:none}
[data-jp-theme-light=true] .jnb-figure img{color-scheme:light}
[data-jp-theme-light=false] .jnb-figure img{color-scheme:dark}`;

/** A plugin: the live half of a view is tried only where its kernel has it, and stays out of sight until it is there. */
export async function views(shared: Shared): Promise<object> {
  const [{ Panel }, { INotebookTracker }, { IJupyterWidgetRegistry }] = await Promise.all(
    ["@lumino/widgets", "@jupyterlab/notebook", "@jupyter-widgets/base"].map(shared),
  );

  class View extends Panel {
    constructor(
      private readonly isKnown: (model: string) => Promise<boolean>,
      private readonly live: () => Renderer,
    ) {
      super();
      this.addClass("jnb-view");
    }

    async renderModel(model: MimeModel): Promise<void> {
      if (!model.trusted || !(await this.isKnown(model.data[WIDGET].model_id)) || this.isDisposed) return;
      for (const old of [...this.widgets]) old.dispose();
      const live = this.live();
      this.addWidget(live);
      await live.renderModel(model);
    }
  }

  function follow({ content: { rendermime }, sessionContext }: NotebookPanel): void {
    const isKnown = knownTo(sessionContext);
    const createRenderer = () => new View(isKnown, () => rendermime.createRenderer(WIDGET));
    rendermime.addFactory({ safe: true, mimeTypes: [VIEW], createRenderer }, -20); // before ipywidgets, at -10
  }

  function activate(_: unknown, notebooks: any): void {
    document.head.append(Object.assign(document.createElement("style"), { textContent: STYLE }));
    notebooks.forEach(follow);
    notebooks.widgetAdded.connect((_: unknown, panel: NotebookPanel) => follow(panel));
  }

  // ipywidgets comes first, so that its renderers know their kernel before ours ask for one.
  return { id: "journey-nb:views", autoStart: true, requires: [INotebookTracker, IJupyterWidgetRegistry], activate };
}

/** Whether the kernel has a model: seen as it was made (a busy kernel answers late), else asked for. */
function knownTo(session: NotebookPanel["sessionContext"]): (model: string) => Promise<boolean> {
  const made = new Set<string>();
  session.iopubMessage.connect((_, { header, content }) => {
    if (header.msg_type === "comm_open") made.add(content.comm_id);
  });
  return async (model) => {
    if (made.has(model)) return true;
    await session.ready;
    const answer = await session.session?.kernel?.requestCommInfo({ target_name: "jupyter.widget" });
    return model in (answer?.content.comms ?? {});
  };
}
