/**
 * The page of yjs.test.ts, beside the files of the guide: its editor, and a document that pages of one browser share without a server. The address
 * says which instances, and whose page it is.
 */

import * as Y from "yjs";
// @ts-expect-error The test writes this file, which is a block of the guide.
import { openEditor } from "./editor.ts";

const query = new URLSearchParams(location.search);
const doc = new Y.Doc();
const channel = new BroadcastChannel("doc-42");
channel.onmessage = ({ data }) => {
  if (data === "hello") channel.postMessage(Y.encodeStateAsUpdate(doc));
  else Y.applyUpdate(doc, data, channel);
};
doc.on("update", (update: Uint8Array, origin: unknown) => origin !== channel && channel.postMessage(update));
channel.postMessage("hello");

const parent = document.querySelector("#editor");
Object.assign(window, openEditor(doc, parent, query.getAll("url"), query.get("name") ?? ""));
