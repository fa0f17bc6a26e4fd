/**
 * Writes what the published packages export, as text: `packages/<name>/api.md`, which a review reads as a diff. `npm run api` builds the packages and writes
 * all of them; a test tells when one is not that of the code. Comments are left out: they may change without a reader of the diff.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript-5.4";
import { ROOT } from "./node-24.js";

const PACKAGES = ["protocol", "client", "react", "server"];

/** Where the report of a package is. */
export const pathOf = (/** @type {string} */ name) => join(ROOT, "packages", name, "api.md");

/**
 * The report of a built package, in the folder where it is installed.
 * @param {string} folder @returns {string}
 */
export function reportOf(folder) {
  const { name, exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const sections = Object.entries(exports)
    .filter(([, { types }]) => types !== undefined)
    .map(([path, { types }]) => {
      const declarations = declarationsOf(join(folder, types), join(folder, "dist"));
      return `## ${join(name, path)}\n\n\`\`\`ts\n${declarations}\`\`\`\n`;
    });
  return `# The public types of ${name}\n\nMade by \`npm run api\` from the built package: not to be edited.\n\n${sections.join("\n")}`;
}

/** The exports of a module, by name; then the declarations that these need, and that the package keeps to itself. */
function declarationsOf(/** @type {string} */ file, /** @type {string} */ dist) {
  const program = ts.createProgram([file], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    allowImportingTsExtensions: true,
    noEmit: true,
    types: [],
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  if (!source || !module) throw new Error(`api: ${file} exports nothing`);
  const printer = ts.createPrinter({ removeComments: true });
  const exported = checker.getExportsOfModule(module).map((symbol) => {
    const isType = symbol.declarations?.every(ts.isTypeOnlyImportOrExportDeclaration) ?? false;
    return /** @type {const} */ ([symbol.name, resolved(symbol), isType]);
  });
  const all = new Set(exported.map(([, symbol]) => symbol));
  // An app can call the constructor of a class that is exported as a value, and of no other one.
  const values = new Set(exported.filter(([, , isType]) => !isType).map(([, symbol]) => symbol));
  /** @type {(readonly [string, string])[]} */
  const hidden = [];
  const shown = exported.map(([name, symbol]) => {
    const alias = name === symbol.name ? "" : `// as ${name}:\n`;
    return /** @type {const} */ ([name, alias + textOf(symbol)]);
  });
  // Grows while it is read: what is needed needs more.
  for (const symbol of all) if (!exported.some(([, each]) => each === symbol)) hidden.push([symbol.name, textOf(symbol)]);
  const byName = (/** @type {readonly [string, string]} */ [a], /** @type {readonly [string, string]} */ [b]) => (a < b ? -1 : 1);
  const parts = [shown, hidden].map((part) =>
    [...part]
      .sort(byName)
      .map(([, text]) => text)
      .join("\n"),
  );
  return parts[1] === "" ? parts[0] : `${parts[0]}\n// Not exported, and needed by the above:\n\n${parts[1]}`;

  function resolved(/** @type {ts.Symbol} */ symbol) {
    return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  }

  function textOf(/** @type {ts.Symbol} */ symbol) {
    return (symbol.declarations ?? [])
      .map((declaration) => {
        const file = declaration.getSourceFile();
        if (!isOurs(file)) return `// ${symbol.name}: of ${packageOf(file.fileName)}\n`;
        const seen = ts.isClassDeclaration(declaration) ? seenOf(declaration, values.has(symbol)) : declaration;
        collect(seen);
        // The statement around a variable.
        const node = ts.isVariableDeclaration(seen) ? seen.parent.parent : seen;
        const text = printer.printNode(ts.EmitHint.Unspecified, node, file);
        return `${shortened(text.replace(/^(?:export )?(?:declare )?/, ""))}\n`;
      })
      .join("");
  }

  /** A class without what an app cannot reach. @param {ts.ClassDeclaration} node @param {boolean} isValue */
  function seenOf(node, isValue) {
    const members = node.members.filter((member) => {
      if (ts.isConstructorDeclaration(member)) return isValue;
      return !(member.name && ts.isPrivateIdentifier(member.name));
    });
    return ts.factory.updateClassDeclaration(node, node.modifiers, node.name, node.typeParameters, node.heritageClauses, members);
  }

  function collect(/** @type {ts.Node} */ node) {
    if (ts.isIdentifier(node)) {
      const symbol = checker.getSymbolAtLocation(node);
      const found = symbol && resolved(symbol);
      const isType = found?.declarations?.some((each) => isOurs(each.getSourceFile()) && ts.isSourceFile(topOf(each).parent));
      if (found && isType) all.add(found);
    }
    ts.forEachChild(node, collect);
  }

  /** Members, parameters and the like are part of their declaration. */
  function topOf(/** @type {ts.Node} */ node) {
    return ts.isVariableDeclaration(node) ? node.parent.parent : node;
  }

  function isOurs(/** @type {ts.SourceFile} */ { fileName }) {
    return !relative(dist, fileName).startsWith("..");
  }
}

/** Without the words of long texts, which are types of constants: a better wording is no other type. */
function shortened(/** @type {string} */ text) {
  return text.replace(/"[^"\n]{40,}"/g, '"…"');
}

/** `@presence-service/protocol` for a file in it. */
function packageOf(/** @type {string} */ path) {
  const [, inside = path] = /.*\/(?:node_modules|packages)\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? [];
  return inside.startsWith("@") ? inside : `@presence-service/${inside}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of PACKAGES) {
    const folder = join(ROOT, "packages", name);
    const [report, path] = [reportOf(folder), pathOf(name)];
    if (existsSync(path) && readFileSync(path, "utf8") === report) continue;
    writeFileSync(path, report);
    console.log(`api: ${relative(ROOT, path)}`);
  }
}
