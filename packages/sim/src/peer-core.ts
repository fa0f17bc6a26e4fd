/**
 * The core of another release beside this one's: half of the instances of a World run it, and each message between a core of the one and a
 * core of the other passes through the bytes of the sender's codec and the reader of the receiver. `DIR` is a checkout of this repository,
 * or an unpacked package of the server with its dependencies.
 */

import { existsSync, readFileSync, realpathSync } from "node:fs";
import { registerHooks } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Core, type CoreOptions, decodeRedisMessage, type Effect, encodeRedisMessage, type Input } from "@presence-service/server/world";

type Codec = { readonly encodeRedisMessage: typeof encodeRedisMessage; readonly decodeRedisMessage: typeof decodeRedisMessage };
export type PeerCore = {
  readonly Core: new (options: Omit<CoreOptions, "constants">) => Core;
  readonly codec: Codec;
  /** For people: the package's version and the folder. */
  readonly name: string;
};

const OWN: Codec = { encodeRedisMessage, decodeRedisMessage };
const CORES = ["packages/server/src/core/core.ts", "src/core/core.ts", "dist/core/core.js", "package/dist/core/core.js"];
/** Where the package of messages may be, from the folder of the server or one above it. */
const PROTOCOLS = ["packages/protocol/src/index.ts", "node_modules/@presence-service/protocol/dist/index.js"];

/** Throws a sentence if there is no core. */
export async function loadPeerCore(folder: string): Promise<PeerCore> {
  const root = realpathSync(folder);
  const path = CORES.map((candidate) => join(root, candidate)).find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error(`${folder} holds no core: it must be a checkout, or an unpacked package of the server`);
  const protocol = protocolOf(root);
  const inside = pathToFileURL(`${root}/`).href;
  const hooks = registerHooks({
    // This release's own package of messages would hide what the other release says.
    resolve: (specifier, context, next) =>
      protocol !== undefined && specifier === "@presence-service/protocol" && context.parentURL?.startsWith(inside)
        ? next(protocol, context)
        : next(specifier, context),
  });
  try {
    const core = (await import(pathToFileURL(path).href)) as { readonly Core: PeerCore["Core"] };
    const codec = (await import(new URL(`../bus/envelope.${path.endsWith(".ts") ? "ts" : "js"}`, pathToFileURL(path)).href)) as Codec;
    return { Core: core.Core, codec, name: `${versionOf(path)} of ${folder}` };
  } finally {
    hooks.deregister();
  }
}

/** Every second instance that is started runs the other core. Pass the result as `makeCore`, for one World. */
export function mixing({ Core: Peer, codec }: PeerCore): (options: CoreOptions) => Core {
  let made = 0;
  return (options) => {
    if (made++ % 2 === 0) return new Core(options);
    const { constants: _, ...rest } = options;
    return translated(new Peer(rest), codec);
  };
}

function translated(core: Core, codec: Codec): Core {
  const { instanceId } = core;
  const translate = <T>(message: T, [from, to]: readonly [Codec, Codec]): T | undefined => {
    const decoded = to.decodeRedisMessage(from.encodeRedisMessage({ from: instanceId, link: 1, message: message as never }));
    return decoded.ok ? (decoded.value.message as T) : undefined;
  };
  const heard = (input: Input): Input | undefined => {
    if (input.kind !== "heard") return input;
    const message = translate(input.message, [OWN, codec]);
    return message && { ...input, message };
  };
  const said = (effect: Effect): Effect[] => {
    if (effect.kind !== "publish") return [effect];
    const message = translate(effect.message, [codec, OWN]);
    return message === undefined ? [] : [{ ...effect, message } as Effect];
  };
  const changes: Partial<Core> = {
    handle: (input, now, wallNow) => {
      const known = heard(input);
      return known === undefined ? [] : core.handle(known, now, wallNow).flatMap(said);
    },
    takeOwnCursors: (boardId, now) => {
      const cursors = core.takeOwnCursors(boardId, now);
      return cursors && translate(cursors, [codec, OWN]);
    },
  };
  return new Proxy(core, {
    get(_, name) {
      const value: unknown = Reflect.get(changes, name) ?? Reflect.get(core, name, core);
      return typeof value === "function" ? value.bind(core) : value;
    },
  });
}

function protocolOf(root: string): string | undefined {
  const found = [root, dirname(root), join(root, "package")]
    .flatMap((folder) => PROTOCOLS.map((candidate) => join(folder, candidate)))
    .find((candidate) => existsSync(candidate));
  return found && pathToFileURL(found).href;
}

function versionOf(core: string): string {
  const { version } = JSON.parse(readFileSync(join(dirname(core), "../../package.json"), "utf8")) as { readonly version: string };
  return version;
}
