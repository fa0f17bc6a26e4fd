/** The page of a guide, served by Vite's dev server as its reader starts it, and opened in a real browser. */

import assert from "node:assert/strict";
import { type Browser, chromium, type Page } from "playwright-core";
import { createServer, type Plugin } from "vite";
import type { Scope } from "../../../server/test/harness/index.ts";

const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const VIEW = { width: 800, height: 600 };

export class Site {
  readonly #scope: Scope;
  readonly #address: string;
  readonly #browser: Browser;

  private constructor(scope: Scope, address: string, browser: Browser) {
    this.#scope = scope;
    this.#address = address;
    this.#browser = browser;
  }

  static async open(scope: Scope, folder: string, plugins: Plugin[] = []): Promise<Site> {
    const vite = await createServer({
      root: folder,
      configFile: false,
      logLevel: "error",
      cacheDir: `${folder}/.vite`,
      plugins,
      // Dependencies are served as they are: found one by one, some would be bundled twice, and be two of each.
      optimizeDeps: { noDiscovery: true },
      resolve: { conditions: ["presence-source", "module", "browser", "development"] },
      server: { host: "127.0.0.1", port: 0, hmr: false, fs: { strict: false } },
    });
    scope.after(() => vite.close());
    await vite.listen();
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
    scope.after(() => browser.close());
    return new Site(scope, vite.resolvedUrls?.local[0] ?? assert.fail("Vite listens"), browser);
  }

  /** In a browser profile of its own, as another person has it. The test fails if the page reports an error. */
  async visit(search = ""): Promise<Page> {
    const page = await (await this.#browser.newContext({ viewport: VIEW })).newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !message.location().url.endsWith("/favicon.ico")) problems.push(message.text());
    });
    this.#scope.after(() => assert.deepEqual(problems, []));
    await page.goto(`${this.#address}${search}`);
    return page;
  }
}
