/** How far this page may see, judged by the answer to its first call, and what its reader can do about it. */

import type { Answer } from "./service.ts";

export type Access = "open" | "asks" | "wrong" | "user" | "off" | "foreign" | "silent" | "failing";

/** `hasToken`: one was sent. */
export function accessOf(answer: Answer<unknown>, hasToken: boolean): Access {
  if (answer.kind === "ok") return "open";
  if (answer.kind === "silent") return "silent";
  const { status, code } = answer;
  if (status === 401) return hasToken ? "wrong" : "asks";
  // The API names its codes. An answer without one is another one's, as where there is no API.
  if (status === 403 && code === "forbidden") return "user";
  if (status === 421) return "foreign";
  return status === 404 ? "off" : "failing";
}

export const ACCESS_TEXTS: { readonly [of in Access]: { readonly title: string; readonly text: string } } = {
  open: { title: "", text: "" },
  asks: {
    title: "This service asks for a token",
    text: "Enter one of its ADMIN_TOKEN (without the name before the colon). It is kept in this page alone, and forgotten when you close or reload it.",
  },
  wrong: {
    title: "That token is not right",
    text: "It is none of those in ADMIN_TOKEN of the instance that answered. Enter only the part after the colon, and make sure that all instances have the same ones.",
  },
  user: {
    title: "That is a user's token",
    text: "It may act on single boards by the admin API. The Inspector shows the whole service, and needs a token of ADMIN_TOKEN.",
  },
  off: {
    title: "The admin API is off",
    text: "Boards, rosters and who hears whom come from it. Set ADMIN_TOKEN to a secret of 32 characters or more (openssl rand -hex 32) and start the instance again; or set ADMIN_PORT, to 9000 say, and open http://localhost:9000/inspector/ on its machine. Below is what the service shows without it.",
  },
  foreign: {
    title: "The service does not answer under this name",
    text: "Open the page by localhost or an IP address, or put its origin into ALLOWED_ORIGINS.",
  },
  silent: { title: "The service does not answer", text: "This page tries again every second." },
  failing: { title: "The admin API fails", text: "The log of the instance has the cause. This page tries again every second." },
};
