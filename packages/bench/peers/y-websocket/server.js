/** y-websocket as `npx y-websocket` starts it: one instance, no bus. HOST and PORT say where. */

console.log = () => {};
await import("@y/websocket-server/server");
