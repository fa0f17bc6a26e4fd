/**
 * The page of yjs.test.ts, for the editor of the guide: a document that pages of one browser share without a server. The address says which instances,
 * and whose page it is.
 */

import * as Y from "yjs";

type OpenEditor = (doc: Y.Doc, parent: Element | null, urls: string[], username: string) => object;

export function start(openEditor: OpenEditor): void {
  const doc = new Y.Doc();
  const channel = new BroadcastChannel("doc-42");
  channel.onmessage = ({ data }) => {
    if (data === "hello") channel.postMessage(Y.encodeStateAsUpdate(doc));
    else Y.applyUpdate(doc, data, channel);
  };
  doc.on("update", (update: Uint8Array, origin: unknown) => origin !== channel && channel.postMessage(update));
  channel.postMessage("hello");
  const query = new URLSearchParams(location.search);
  Object.assign(window, openEditor(doc, document.querySelector("#editor"), query.getAll("url"), query.get("name") ?? ""));
}
