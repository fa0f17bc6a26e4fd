/** The page of a guide, served by Vite's dev server as its reader starts it, and opened in a real browser. */

import assert from "node:assert/strict";
import { after } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { createServer, type Plugin } from "vite";
import type { Scope } from "../../../server/test/harness/index.ts";

const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const VIEW = { width: 800, height: 600 };

type SiteOptions = { readonly plugins?: Plugin[]; readonly bundled?: string[] };

/** One for all tests of a file. */
let browser: Promise<Browser> | undefined;
after(async () => (await browser)?.close());

export class Site {
  readonly #scope: Scope;
  readonly #address: string;

  private constructor(scope: Scope, address: string) {
    this.#scope = scope;
    this.#address = address;
  }

  /** `bundled`: dependencies that are no ES modules, which Vite has to bundle before it serves them. */
  static async open(scope: Scope, folder: string, { plugins = [], bundled = [] }: SiteOptions = {}): Promise<Site> {
    const vite = await createServer({
      root: folder,
      configFile: false,
      logLevel: "error",
      cacheDir: `${folder}/.vite`,
      plugins,
      // All others are served as they are: found one by one, some would be bundled twice, and be two of each.
      optimizeDeps: { noDiscovery: true, include: bundled },
      // The tools are linked, so they are outside of the app.
      server: { host: "127.0.0.1", port: 0, hmr: false, fs: { strict: false } },
    });
    scope.after(() => vite.close());
    await vite.listen();
    return new Site(scope, vite.resolvedUrls?.local[0] ?? assert.fail("Vite listens"));
  }

  /** In a browser profile of its own, as another person has it. The test fails if the page reports an error. */
  async visit(search = ""): Promise<Page> {
    browser ??= chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
    const profile = await (await browser).newContext({ viewport: VIEW });
    this.#scope.after(() => profile.close());
    const page = await profile.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      // A page without an icon, and one whose service has ended before it: both are the test's doing.
      const isOurs = message.location().url.endsWith("/favicon.ico") || message.text().startsWith("WebSocket connection to ");
      if (message.type() === "error" && !isOurs) problems.push(message.text());
    });
    this.#scope.after(() => assert.deepEqual(problems, []));
    await page.goto(`${this.#address}${search}`);
    return page;
  }
}
