import type { MimeModel, Shared } from "./lab";

const MIME = "application/x-journey-nb.journey+json";

const STYLE = "overflow:auto;padding:16px;box-sizing:border-box;color:var(--jp-content-font-color1)";

/** A file type: a journey document opens as its canvas, which Python draws, anew with every change of the text. */
export async function documents(shared: Shared): Promise<object> {
  const [{ Widget }, { ServerConnection }] = await Promise.all(["@lumino/widgets", "@jupyterlab/services"].map(shared));

  class Document extends Widget {
    private turn = 0;

    constructor(private readonly locale: string) {
      super();
      this.node.style.cssText = STYLE;
      this.addClass("jp-RenderedHTMLCommon");
    }

    async renderModel(model: MimeModel): Promise<void> {
      const turn = ++this.turn;
      const settings = ServerConnection.makeSettings();
      const url = `${settings.baseUrl}journey-nb/picture?locale=${encodeURIComponent(this.locale)}`;
      const answer = await ServerConnection.makeRequest(url, { method: "POST", body: model.data[MIME] }, settings);
      if (!answer.ok) throw await ServerConnection.ResponseError.create(answer); // JupyterLab shows it
      const { html } = await answer.json();
      if (turn === this.turn) this.node.innerHTML = html; // of a template of ours, which escapes
    }
  }

  return {
    id: "journey-nb:documents",
    dataType: "string",
    rank: 0,
    rendererFactory: {
      safe: false, // in an output that is not trusted nothing is asked of the server
      mimeTypes: [MIME],
      createRenderer: ({ translator }: any) => new Document(translator?.languageCode ?? ""),
    },
    fileTypes: [{ name: "journey", displayName: "Journey", mimeTypes: [MIME], extensions: [".journey.json"] }],
    documentWidgetFactoryOptions: { name: "Journey", primaryFileType: "journey", fileTypes: ["journey"], defaultFor: ["journey"] },
  };
}
