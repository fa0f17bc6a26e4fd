/** Mounts elements in the page of page.ts, with React's `act` around everything that may render. */

import "./page.ts";
import type { Presence } from "@presence-service/client";
import { act, createElement, type ReactElement, type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Board, PresenceProvider } from "../src/index.ts";
import type { Service } from "./service.ts";

export type Rendered = { readonly container: HTMLElement; show(element: ReactNode): Promise<void>; unmount(): Promise<void> };

export async function render(element: ReactNode): Promise<Rendered> {
  const container = document.body.appendChild(document.createElement("div"));
  const root = createRoot(container);
  const show = async (next: ReactNode) => act(async () => root.render(next));
  await show(element);
  return { container, show, unmount: async () => act(async () => root.unmount()) };
}

export async function advance(service: Service, ms = 500): Promise<void> {
  await act(async () => service.advance(ms));
}

/** The tree of an app: a client, a board, and what is in it. */
export function onBoard(client: Presence, children: ReactNode, id = "desk", username = "me"): ReactElement {
  return createElement(PresenceProvider, { client }, createElement(Board, { id, username }, children));
}

export function strict(children: ReactNode): ReactElement {
  return createElement(StrictMode, null, children);
}

export type Reading = { renders: number; readonly element: ReactElement };

/** An element that shows what `read`, which may use hooks, gives as JSON. Its renders are counted, in StrictMode twice each. */
export function reading(read: () => unknown): Reading {
  const count = () => {
    counted.renders++;
    return read();
  };
  const counted = { renders: 0, element: createElement(Reader, { read: count }) };
  return counted;
}

function Reader({ read }: { readonly read: () => unknown }): ReactElement {
  return createElement("pre", null, JSON.stringify(read()));
}
