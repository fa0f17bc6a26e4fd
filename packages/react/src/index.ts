/** React components and hooks of the presence service. Importing it does nothing; see `PresenceProvider` and `Board`. */

export { AvatarStack, type AvatarStackProps } from "./avatar-stack.ts";
export { Board, type BoardProps, PresenceProvider, type PresenceProviderProps } from "./board.ts";
export { ConnectionStatus, type ConnectionStatusProps } from "./connection-status.ts";
export { type CursorArea, type CursorAreaOptions, useCursorArea } from "./cursor-area.ts";
export { Cursors, type CursorsProps } from "./cursors.ts";
export {
  type Follow,
  useBoard,
  useBroadcast,
  useEvent,
  useFollow,
  useOccupancy,
  useOthers,
  useSelf,
  useStatus,
  useUpdate,
  useUsers,
} from "./hooks.ts";
export { shallowEqual } from "./selected.ts";
export { createPresenceHooks, type PresenceHooks, type TypedBoardProps } from "./typed.ts";
