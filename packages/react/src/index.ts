/** React components and hooks of the presence service. Importing it does nothing; see `PresenceProvider` and `Board`. */

export { Board, type BoardProps, PresenceProvider, type PresenceProviderProps } from "./board.ts";
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
