/** A page without a browser, for fast tests of React. Import it before React: React looks for the page when it is imported. */

import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html><body></body>", { url: "http://localhost/", pretendToBeVisual: true });

for (const name of [
  "window",
  "document",
  "HTMLElement",
  "Node",
  "Event",
  "getComputedStyle",
  "requestAnimationFrame",
  "cancelAnimationFrame",
])
  Object.defineProperty(globalThis, name, { value: window[name as keyof typeof window], configurable: true, writable: true });
Object.defineProperty(globalThis, "IS_REACT_ACT_ENVIRONMENT", { value: true });
