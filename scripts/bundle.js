/**
 * Makes the command `presence-service` into a few files, `packages/server/dist/command/`, with the packages that it needs: an instance then takes
 * two thirds of the memory, and starts in a third of the time (docs/decisions/024-bundled-command.md). The exports of the library stay as they are.
 * Names and lines are kept, so that stack traces and debuggers show code that one can read.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { builtinModules, createRequire } from "node:module";
import { join, relative } from "node:path";
import { rolldown } from "rolldown";
import { ROOT } from "./node-24.js";
import { withoutPrivateNames } from "./private-names.js";

const require = createRequire(import.meta.url);
const SERVER = join(ROOT, "packages/server");

/** Where somebody traces, it is installed beside the service (docs/OPERATIONS.md). */
const EXTERNAL = ["@opentelemetry/api"];

/**
 * Files of packages of which the service uses a part, and that part. The Redis driver makes a class of 400 commands, of which we send none through a
 * method; and the metrics library brings a gateway, a cluster and summaries along.
 */
const PARTS = {
  "@redis/client/dist/index.js":
    'exports.RedisClient = require("./lib/client").default;\nexports.ErrorReply = require("./lib/errors").ErrorReply;',
  "@redis/client/dist/lib/commands/index.js": `Object.defineProperty(exports, "__esModule", { value: true });
exports.default = { ${driverCommands()
    .map((name) => `${name}: require("./${name}").default`)
    .join(", ")} };
exports.NON_STICKY_COMMANDS = {};`,
  // Traits of each command, for the driver's own cache and Cluster, which we do not use.
  "@redis/client/dist/lib/command-metadata/command-metadata-data.js": "exports.COMMAND_METADATA = {};",
  "@prometheus-io/client/index.js": ["Registry", "Counter", "Gauge", "Histogram"]
    .map((name) => `exports.${name} = require("./lib/${name.toLowerCase()}");`)
    .join("\n"),
  // Logs are written by this thread.
  "thread-stream/index.js": "module.exports = undefined;",
};

/** Modules of Node that most instances never use: they are loaded when something in them is asked for. Together 3 MB. */
const LATER = ["dns/promises", "https", "tls", "worker_threads", "zlib"];

/** Licences that ask for no more than their text. */
const ALLOWED = /^(?:MIT|ISC|Apache-2\.0|BSD-[23]-Clause)$/;

/** Of packages that leave their licence out of what they publish. */
const COPYRIGHTS = { "@redis/client": "Copyright (c) 2022-2025, Redis, inc." };

/** @param {string} [folder] */
export async function bundle(folder = join(SERVER, "dist/command")) {
  const entry = join(SERVER, "src/cli.ts");
  /** @type {Set<string>} Modules of every start. */
  const early = new Set();
  const bundled = await rolldown({
    cwd: ROOT,
    input: { cli: entry },
    platform: "node",
    external: EXTERNAL,
    resolve: { conditionNames: ["presence-source", "node", "import", "default"] },
    plugins: [
      parts(),
      later(),
      version(),
      {
        name: "early",
        buildEnd() {
          follow(entry, this, early);
        },
      },
    ],
    onLog(level, log) {
      throw new Error(`bundle: ${level}: ${log.message}`);
    },
  });
  const { output } = await bundled.generate({
    format: "cjs",
    minify: "dce-only",
    comments: false,
    // Between files each name is asked for by a getter, so all that runs often has to be in one. By itself rolldown would part what is needed later, too.
    codeSplitting: { groups: [{ name: "service", test: (id) => early.has(id) }] },
    entryFileNames: "[name].cjs",
    chunkFileNames: "[name].cjs",
  });
  mkdirSync(folder, { recursive: true });
  /** @type {Set<string>} */
  const packages = new Set();
  for (const file of output) {
    if (file.type !== "chunk") throw new Error(`bundle: ${file.fileName} is no code`);
    for (const id of Object.keys(file.modules)) {
      const found = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id)?.[0];
      if (found !== undefined) packages.add(found);
    }
    writeFileSync(join(folder, file.fileName), ascii(withoutPrivateNames(file.code)));
  }
  writeFileSync(join(folder, "THIRD-PARTY.txt"), notices([...packages].sort()));
}

/**
 * Adds to `met` all that a module imports, by whichever way, but not what it loads later.
 * @param {string} id
 * @param {import("rolldown").PluginContext} context
 * @param {Set<string>} met
 */
function follow(id, context, met) {
  if (met.has(id)) return;
  met.add(id);
  for (const imported of context.getModuleInfo(id)?.importedIds ?? []) follow(imported, context, met);
}

/** @returns {import("rolldown").Plugin} */
function parts() {
  const texts = new Map(Object.entries(PARTS).map(([path, text]) => [join(ROOT, "node_modules", path), text]));
  for (const path of texts.keys()) if (!existsSync(path)) throw new Error(`bundle: ${path} is gone; look at PARTS in scripts/bundle.js`);
  return { name: "parts", load: (id) => texts.get(id) };
}

/** The commands that the driver itself sends by their names. */
function driverCommands() {
  const text = readFileSync(join(ROOT, "node_modules/@redis/client/dist/lib/client/index.js"), "utf8");
  const names = new Set([...text.matchAll(/\bcommands_1\.default\.(\w+)/g)].map(([, name = ""]) => name));
  if (!names.has("AUTH"))
    throw new Error("bundle: the driver asks for its commands in another way; look at driverCommands in scripts/bundle.js");
  return [...names].sort();
}

/** @returns {import("rolldown").Plugin} */
function later() {
  const prefix = "\0later:";
  return {
    name: "later",
    resolveId(specifier, importer) {
      const name = specifier.replace(/^node:/, "");
      return LATER.includes(name) && !importer?.startsWith(prefix) ? `${prefix}${name}.cjs` : null;
    },
    load(id) {
      if (!id.startsWith(prefix)) return null;
      const name = id.slice(prefix.length, -".cjs".length);
      if (!builtinModules.includes(name)) throw new Error(`bundle: Node has no ${name}`);
      const getters = Object.keys(require(`node:${name}`)).map((key) => `get ${key}() { return load().${key}; }`);
      return `const load = () => process.getBuiltinModule("node:${name}");\nmodule.exports = {\n${getters.join(",\n")}\n};`;
    },
  };
}

/** The sources read it from package.json. @returns {import("rolldown").Plugin} */
function version() {
  const { version } = JSON.parse(readFileSync(join(SERVER, "package.json"), "utf8"));
  const path = join(SERVER, "src/version.ts");
  return { name: "version", load: (id) => (id === path ? `export const VERSION = ${JSON.stringify(version)};` : null) };
}

/** Node keeps a text with a single character beyond Latin-1 in twice the memory. Strings and regular expressions may hold each as an escape. @param {string} code */
function ascii(code) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII begins there.
  return code.replace(/[^\x00-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Licences ask that their text comes with each copy. @param {readonly string[]} folders */
function notices(folders) {
  const each = folders.map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    if (!ALLOWED.test(license)) throw new Error(`bundle: ${name} has the licence ${license}, which scripts/bundle.js does not know`);
    const file = readdirSync(folder).find((file) => /^licen[cs]e(?:\.\w+)?$/i.test(file));
    const copyright = COPYRIGHTS[/** @type {keyof typeof COPYRIGHTS} */ (name)];
    if (file === undefined && (copyright === undefined || license !== "MIT"))
      throw new Error(`bundle: ${relative(ROOT, folder)} has no licence file; look at COPYRIGHTS in scripts/bundle.js`);
    const text = file === undefined ? `MIT License\n\n${copyright}\n\n${MIT}` : readFileSync(join(folder, file), "utf8").trim();
    return `${name} ${version}, ${license}\n\n${text}\n`;
  });
  const line = `\n${"-".repeat(80)}\n\n`;
  return [`The command presence-service holds code of these packages, from the registry of npm.\n`, ...each].join(line);
}

/** Without the line of copyright. */
const MIT = readFileSync(join(ROOT, "node_modules/ws/LICENSE"), "utf8")
  .replace(/^[\s\S]*?(?=Permission is)/, "")
  .trim();
