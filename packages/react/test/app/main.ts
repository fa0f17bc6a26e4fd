/** The page of browser.test.ts: a board with all components, in StrictMode. Its address says which instance, board and name. */

import { createPresence } from "@presence-service/client";
import { AvatarStack, Board, ConnectionStatus, Cursors, PresenceProvider, useCursorArea, useUsers } from "@presence-service/react";
import { createElement, StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

const query = new URLSearchParams(location.search);
const presence = createPresence({ url: query.get("url") ?? "" });

function App() {
  const [key, setKey] = useState(0);
  const [isShown, setShown] = useState(true);
  return createElement(
    PresenceProvider,
    { client: presence },
    createElement(
      "main",
      null,
      createElement("h1", null, "A board"),
      createElement("button", { id: "key", type: "button", onClick: () => setKey(key + 1) }, "another key"),
      createElement("button", { id: "mount", type: "button", onClick: () => setShown(!isShown) }, "mount"),
      isShown ? createElement(Board, { key, id: "desk", username: query.get("name") ?? "" }, createElement(Desk)) : null,
    ),
  );
}

function Desk() {
  const area = useCursorArea<HTMLDivElement>();
  const names = useUsers((users) => users.map(({ username }) => username).join(", "));
  return createElement(
    "div",
    null,
    createElement(
      "div",
      { id: "bar" },
      createElement(AvatarStack, { max: 3, onSelect: () => {} }),
      createElement("span", { id: "beside" }, "beside"),
    ),
    createElement(ConnectionStatus),
    createElement("p", { id: "names" }, names),
    createElement("div", { ref: area.ref, id: "area" }, createElement(Cursors, { area })),
  );
}

const root = document.querySelector("#root");
if (root) createRoot(root).render(createElement(StrictMode, null, createElement(App)));
