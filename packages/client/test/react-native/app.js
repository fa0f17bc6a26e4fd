/** The app that Metro bundles for react-native.test.ts: what the guide says to import, and a board in React. The test speaks to it through `phone`. */

import { AppState } from "react-native";
import "react-native-get-random-values";
import "@bacons/text-decoder/install";
import { createPresence } from "@presence-service/client";
import { Board, PresenceProvider, useBoard, useOthers } from "@presence-service/react";
import { createElement, useEffect } from "react";
import { create } from "react-test-renderer";
// The file of the guide.
import { nativeDriver } from "./native";

function Names() {
  const board = useBoard();
  globalThis.tell(
    "shown",
    useOthers((others) => others.map(({ username }) => username).join()),
  );
  useEffect(() => {
    globalThis.phone.board = board;
    const drawn = board?.cursors.subscribe((moved) => {
      for (const { member, x, y } of moved) globalThis.tell("cursor", member.username, x.toFixed(1), y.toFixed(1));
    });
    const told = board?.on("error", (error) => globalThis.tell("error", error.code, error.message));
    return () => {
      drawn?.();
      told?.();
    };
  }, [board]);
  return null;
}

globalThis.phone = {
  start(url) {
    const driver = nativeDriver(AppState);
    const presence = createPresence({ url, driver, idleAfterMs: 2_000 });
    Object.assign(globalThis.phone, { presence, driver });
    const board = createElement(Board, { id: "b", username: "Ana 📱", state: { tool: "thumb" } }, createElement(Names));
    create(createElement(PresenceProvider, { client: presence }, board));
  },
};
