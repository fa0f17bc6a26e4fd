/**
 * The session of this client: the one from before a reload, or a new one (C1). A session belongs to one page at a time. Without a lock
 * it is kept in memory only.
 */

import type { ResumeToken } from "@presence-service/protocol";
import { Session } from "./core/session.ts";
import type { Driver } from "./driver.ts";

export type Identity = {
  readonly resumeToken: ResumeToken;
  /** The new attempt is stored before it is returned. */
  nextAttempt(): number;
  /** Another client may take the session from now on. */
  release(): void;
};

/**
 * Takes the storage key of this client's session. Each client of a page has its own key, so that it finds its session after a reload.
 * Clients with the same URL and name are told apart by the order in which they connect. `freeKey` gives the key back.
 */
export function takeKey({ sessions }: Driver, url: string, name: string | undefined): string {
  const first = `presence:${url}${name === undefined ? "" : `#${name}`}`;
  let key = first;
  for (let nth = 2; sessions?.taken.has(key); nth++) key = `${first} ${nth}`;
  sessions?.taken.add(key);
  return key;
}

export function freeKey({ sessions }: Driver, key: string): void {
  sessions?.taken.delete(key);
}

/** Rejects only if there is no randomness: a storage that fails counts as no storage. */
export async function openIdentity(driver: Driver, key: string): Promise<Identity> {
  const saved = Session.parse(attempt(driver, () => driver.sessions?.load(key)) ?? null);
  const release = saved && (await claim(driver, saved));
  return release ? identityOf(driver, key, saved, release) : renewIdentity(driver, key);
}

/** A new session. Rejects only if there is no randomness. */
export async function renewIdentity(driver: Driver, key: string): Promise<Identity> {
  const session = Session.fresh(driver.randomBytes(16));
  return identityOf(driver, key, session, await claim(driver, session));
}

/** Without a claim nothing is stored: a duplicated tab would read it. */
function identityOf(driver: Driver, key: string, session: Session, release: (() => void) | undefined): Identity {
  return {
    resumeToken: session.resumeToken,
    nextAttempt() {
      const number = session.nextAttempt();
      if (release) attempt(driver, () => driver.sessions?.save(key, session.text()));
      return number;
    },
    release: () => release?.(),
  };
}

async function claim(driver: Driver, session: Session): Promise<(() => void) | undefined> {
  try {
    return await driver.sessions?.claim(`presence:${session.resumeToken}`);
  } catch (error) {
    driver.report("the session could not be locked, it will not survive a reload", error);
    return undefined;
  }
}

function attempt<T>(driver: Driver, use: () => T): T | undefined {
  try {
    return use();
  } catch (error) {
    driver.report("the session could not be stored, it will not survive a reload", error);
    return undefined;
  }
}
