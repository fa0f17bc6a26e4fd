/** The parts of an instance that the calls of the admin API use. */

import type { InstanceId } from "@presence-service/protocol";
import type { ConnectionManager } from "../connection/manager.ts";
import type { HearingMap } from "./hearing-map.ts";

export type Inside = {
  readonly instanceId: InstanceId;
  readonly manager: ConnectionManager;
  readonly hearing: HearingMap;
  /** Ends this instance, as a signal would. */
  readonly drain: () => void;
};
