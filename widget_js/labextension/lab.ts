/** What the extension uses of JupyterLab: packages that it shares at run time, so nothing is built against it. */

export interface MimeModel {
  readonly trusted: boolean;
  readonly data: Record<string, any>;
}

interface Widget {
  readonly isDisposed: boolean;
  dispose(): void;
}

export interface Renderer extends Widget {
  renderModel(model: MimeModel): Promise<void>;
}

interface Message {
  readonly header: { readonly msg_type: string };
  readonly content: any;
}

interface Kernel {
  requestCommInfo(of: { target_name: string }): Promise<Message>;
}

export interface NotebookPanel {
  readonly sessionContext: {
    readonly ready: Promise<void>;
    readonly session: { readonly kernel: Kernel | null } | null;
    readonly iopubMessage: { connect(heard: (sender: unknown, message: Message) => void): void };
  };
  readonly content: {
    readonly rendermime: {
      addFactory(factory: object, rank: number): void;
      createRenderer(mime: string): Renderer;
    };
  };
}

/** A package by its name. */
export type Shared = (name: string) => Promise<any>;

interface Offer {
  readonly loaded?: number | boolean;
  get(): Promise<() => any>;
}

export type Scope = Record<string, Record<string, Offer>>;

/** Takes each package as JupyterLab itself has it: another extension may offer one of its own. */
export function sharedFrom(scope: Scope): Shared {
  return async (name) => {
    const offers = Object.values(scope[name] ?? {});
    const offer = offers.find((offer) => offer.loaded) ?? offers[0];
    if (!offer) throw new Error(`${name} is not shared here`);
    return (await offer.get())();
  };
}
