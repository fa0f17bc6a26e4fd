/** A member that is a program: it goes to where somebody has pointed last, and circles around there. */

import { createPresence } from "@presence-service/client";

const STEP_MS = 50;
const RADIUS = 0.06;
const TURN_MS = 4_000;

const url = process.env.PRESENCE_URL ?? "ws://localhost:3001";
console.log(`Robo goes to the board "example" at ${url}`);
const presence = createPresence({ url });
const board = presence.board("example", { username: "Robo", state: { doing: "waiting for somebody" } });
board.on("user_joined", ({ member }) => console.log(`${member.username} is here`));
board.on("user_left", ({ member }) => console.log(`${member.username} has left`));
// Without this the SDK writes errors to the console by itself.
board.on("error", ({ code, message }) => console.error(`${code}: ${message}`));

let goal = { x: 0.5, y: 0.5 };
let center = goal;
board.cursors.subscribe(
  (moved) => {
    const last = moved.findLast(({ hidden }) => !hidden);
    if (!last) return;
    goal = { x: last.x, y: last.y };
    // A patch that changes nothing is not sent.
    board.update({ doing: `going to ${last.member.username}` });
  },
  // There are no frames here, and a program needs no even motion.
  { smooth: false },
);

const stepping = setInterval(() => {
  center = { x: center.x + (goal.x - center.x) * 0.1, y: center.y + (goal.y - center.y) * 0.1 };
  const angle = (Date.now() / TURN_MS) * 2 * Math.PI;
  board.moveCursor(center.x + RADIUS * Math.cos(angle), center.y + RADIUS * Math.sin(angle));
}, STEP_MS);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    clearInterval(stepping);
    presence.close(); // the others see a leave at once
  });
}
