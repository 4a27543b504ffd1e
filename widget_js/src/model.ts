/** What a live view needs of the widget model, as anywidget hands it over. */
export interface Model {
  get(name: string): any;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: (message: any, buffers: DataView[]) => void): void;
  off(event: string, callback: (message: any, buffers: DataView[]) => void): void;
  send(content: unknown): void;
}

/** The text of a compressed trait, however the host hands its bytes over; a page has it as text already. */
export async function unzip(bytes: DataView | Uint8Array | string): Promise<string> {
  if (typeof bytes === "string") return bytes;
  const plain = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  return new Response(new Blob([plain]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}
