/** Browser and Node client of the presence service. Importing it does nothing; see `createPresence`. */

export type { JsonObject } from "@presence-service/protocol";
export { createPresence } from "./client.ts";
export {
  createDriver,
  type Driver,
  type DriverSocket,
  type PageEvents,
  type SessionStorage,
  type SocketEvents,
  type WebSocketClass,
} from "./driver.ts";
export { type CanvasView, canvasSpace, elementSpace, type PointerPlace, type Space } from "./spaces.ts";
export type {
  Addressed,
  Board,
  BoardArguments,
  BoardEvents,
  BoardOptions,
  BoardSnapshot,
  CursorMove,
  CursorOptions,
  Followed,
  Member,
  MemberPage,
  MoveOptions,
  Occupancy,
  PageOptions,
  Patch,
  PeerEvent,
  Presence,
  PresenceError,
  PresenceErrorCode,
  PresenceOptions,
  PresenceStatus,
  Recipient,
  RosterEvents,
  StandardSchema,
  Stop,
  User,
  Watch,
} from "./types.ts";
