/** Accounts pay for work, and connections wait. docs/decisions/003-budgets.md; the table of docs/OPERATIONS.md is that of the code. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { compareTable } from "../../test/harness/document.ts";
import {
  Account,
  ADDRESSES_MAX,
  AddressAccount,
  Addresses,
  LIMITS,
  OVERDRAWN_MS_MAX,
  OVERDRAWS_TOLD,
  Pool,
  PRICE,
  QUANTUM,
  QUANTUM_MS_MIN,
  YOUNG_MS,
} from "./budget.ts";

const T0 = 1000;

test("a pool gives its burst and then its rate; it is overdrawn by what is taken last, and gives nothing until that is paid", () => {
  const pool = new Pool({ perMs: 2, burst: 100 }, T0);
  assert.equal(pool.take(500, T0), true);
  assert.equal(pool.take(1, T0), false);
  assert.equal(pool.paidAt(T0), T0 + 200);
  assert.equal(pool.take(1, T0 + 199), false);
  assert.equal(pool.take(1, T0 + 200), true);
  assert.equal(pool.balance(T0 + 1_000_000), 100, "never more than the burst");
});

/** An address that has nothing to lend. */
function poor(now: number): AddressAccount {
  const address = new AddressAccount(now);
  address.work.take(1e12, now);
  return address;
}

test("the moves of a person cost a comparison and an addition: 20 moves a second on each of 32 boards never wait, at a poor address either", () => {
  const account = new Account(poor(T0), T0);
  for (let now = T0; now < T0 + 60_000; now += 50) {
    for (let board = 0; board < 32; board++) if (!account.spend(PRICE.cursor)) assert.equal(account.settle(now), undefined);
  }
});

test("a connection that uses a quantum fast takes turns; one that uses it slowly does not", () => {
  const account = new Account(new AddressAccount(T0), T0);
  assert.equal(account.spend(QUANTUM), true);
  assert.equal(account.spend(1), false);
  assert.deepEqual(account.settle(T0 + QUANTUM_MS_MIN - 1), { cause: "turn", at: T0 + QUANTUM_MS_MIN - 1 });
  account.spend(QUANTUM + 1);
  assert.equal(account.settle(T0 + 2 * QUANTUM_MS_MIN), undefined);
});

test("an address lends to its connections what they lack, until it has nothing left; then each has its own", () => {
  const address = new AddressAccount(T0);
  const busy = new Account(address, T0);
  busy.spend(LIMITS.address.burst + 1000);
  assert.equal(busy.settle(T0)?.cause, "turn", "it was lent");
  const other = new Account(address, T0);
  other.spend(400);
  assert.deepEqual(other.settle(T0), { cause: "debt", at: T0 + 1000 / LIMITS.address.perMs }, "until its address can lend again");
  assert.equal(other.mayGoOn(T0 + 4), T0 + 4);
  address.work.take(1e12, T0 + 4);
  other.spend(400);
  const wait = other.settle(T0 + 1000);
  assert.equal(wait, undefined, "a second of its own is enough");
});

test("the debt of a connection that ends passes to its address: a new one has no more than the old one had", () => {
  const address = poor(T0);
  address.work.charge(-1e12, T0);
  const before = address.work.balance(T0);
  const account = new Account(address, T0);
  account.spend(5000);
  account.close(T0);
  assert.equal(before - address.work.balance(T0), 5000);
  const next = new Account(poor(T0), T0);
  next.spend(QUANTUM + 1);
  assert.equal(next.settle(T0)?.cause, "debt", "it begins with nothing saved");
});

test("overdrawn again and again is told once, and after half a minute it is abuse; one large debt is neither", () => {
  const patient = new Account(poor(T0), T0);
  patient.spend(200_000);
  const wait = patient.settle(T0);
  assert.equal(wait?.cause, "debt");
  assert.equal(wait?.at, T0 + 200_000 / LIMITS.connection.perMs);

  const account = new Account(poor(T0), T0);
  const causes: string[] = [];
  let now = T0;
  while (causes.at(-1) !== "abuse" && now < T0 + 10 * OVERDRAWN_MS_MAX) {
    account.spend(1000);
    const at = account.settle(now);
    if (at === undefined) continue;
    causes.push(at.cause);
    now = Math.max(now + 1, at.at);
    assert.equal(account.mayGoOn(now), now);
  }
  assert.ok(now - T0 > OVERDRAWN_MS_MAX && now - T0 < OVERDRAWN_MS_MAX + 2000, `after ${now - T0} ms`);
  assert.deepEqual([causes.indexOf("tell"), causes.lastIndexOf("tell")], [OVERDRAWS_TOLD - 1, OVERDRAWS_TOLD - 1]);
});

test("members of short-lived connections stay shown up to a limit per address; those of long-lived ones always", () => {
  const address = new AddressAccount(T0);
  let left = 0;
  for (let nth = 0; nth < 3000; nth++) if (new Account(address, T0).mayLeaveBehind(1, T0)) left++;
  assert.equal(left, LIMITS.graces.burst + 1);
  assert.equal(new Account(address, T0).mayLeaveBehind(32, T0 + YOUNG_MS), true);
});

test("addresses are forgotten once they have paid, and the oldest when there are too many", () => {
  const addresses = new Addresses();
  const owing = addresses.of("owes", T0);
  owing.work.take(LIMITS.address.perMs * 100, T0);
  const connected = new Account(addresses.of("connected", T0), T0);
  addresses.of("idle", T0);
  addresses.forget(T0);
  assert.equal(addresses.size, 2);
  assert.equal(addresses.of("owes", T0), owing);
  addresses.forget(T0 + 101);
  assert.equal(addresses.size, 1);
  for (let nth = 0; nth < 2 * ADDRESSES_MAX; nth++) addresses.of(`${nth}`, T0).work.take(1e9, T0);
  addresses.forget(T0);
  assert.equal(addresses.size, ADDRESSES_MAX);
  connected.close(T0);
});

test("the table of limits in docs/OPERATIONS.md is that of the code", () => {
  const source = readFileSync(new URL("./budget.ts", import.meta.url), "utf8");
  const section = (name: string) =>
    source.slice(
      source.indexOf(`export const ${name} = {`),
      source.indexOf("}", source.indexOf("as const", source.indexOf(`export const ${name} = {`))),
    );
  const reasons = (name: string) =>
    new Map([...section(name).matchAll(/\/\*\* (.*) \*\/\n {2}(\w+):/g)].map(([, reason, key]) => [String(key), String(reason)]));
  const units: Record<keyof typeof LIMITS, [string, number]> = {
    connection: ["work", 1000],
    address: ["work", 1000],
    graces: ["members", 1000],
    handshakes: ["upgrades", 1000],
    joins: ["joins", 1000],
    audience: ["bytes × members", 1000],
  };
  const limitRows = Object.entries(LIMITS).map(([key, { perMs, burst }]) => {
    const [unit, factor] = units[key as keyof typeof LIMITS];
    return `| \`${key}\` | ${perMs * factor} a second, ${burst} at once | ${unit} | ${reasons("LIMITS").get(key)} |`;
  });
  const priceRows = Object.entries(PRICE).map(([key, price]) => `| \`${key}\` | ${price} | ${reasons("PRICE").get(key)} |`);
  const table = [
    "| limit | default | unit | of what, and why |",
    "|---|---|---|---|",
    ...limitRows,
    "",
    "| price of | work | why |",
    "|---|---|---|",
    ...priceRows,
  ].join("\n");
  compareTable("OPERATIONS.md", "limits", table);
});
