/**
 * Manners of the tools that are run by hand. `--help` prints the comment at the top of the tool, and an option that it does not know is told in one sentence
 * with that comment. Loaded before a tool (`--import`), whose options `parseArgs` reads. It knows no tool.
 */

import { readFileSync } from "node:fs";

/** As in sysexits.h. */
const EX_USAGE = 64;
/** The script that the user has run, where that is another one. */
const FILE = "PRESENCE_TOOL";

/** The environment of a tool that another script runs. @param {string} file */
export function toolEnv(file) {
  return { ...process.env, [FILE]: file };
}

/**
 * The number that an option holds. Another text is refused as an unknown option is.
 * @param {string} option @param {string} text
 */
export function numberOf(option, text) {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && Number.isFinite(value)) return value;
  throw misused(`--${option} is ${text}; it must be a number from 0 on`);
}

/** An error that is told as that of an unknown option is. @param {string} why */
export function misused(why) {
  return Object.assign(new Error(why), { code: "ERR_PARSE_ARGS_INVALID_OPTION_VALUE" });
}

/** Prints the usage and ends, if it is asked for. */
function answerHelp() {
  if (!process.argv.slice(2).some((arg) => arg === "--help" || arg === "-h")) return;
  console.log(usage());
  process.exit(0);
}

function usage() {
  const comment = /\/\*\*([\s\S]*?)\*\//.exec(readFileSync(process.env[FILE] ?? process.argv[1] ?? "", "utf8"))?.[1] ?? "";
  return comment
    .split("\n")
    .map((line) => line.replace(/^ ?\* ?/, "").trimEnd())
    .join("\n")
    .trim();
}

process.on("uncaughtException", (error) => {
  if (!/^ERR_PARSE_ARGS/.test(/** @type {{ code?: string }} */ (error).code ?? "")) {
    console.error(error);
    process.exit(1);
  }
  console.error(`${error.message.split(". ")[0]?.replace(/\.$/, "")}. The tool says of itself:\n\n${usage()}`);
  process.exit(EX_USAGE);
});
answerHelp();
