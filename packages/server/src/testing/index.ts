/** The door through which packages/sim takes the World, and the numbers and types of the core that it needs. Apps have ../test-server. */

export { decodeRedisMessage, encodeRedisMessage } from "../bus/envelope.ts";
export { GRACE_MS } from "../connection/timing.ts";
export { type Keep, type Kept, restore, written } from "../core/checkpoint.ts";
export { CONSTANTS, type Constants } from "../core/constants.ts";
export { Core, type CoreOptions } from "../core/core.ts";
export type { Effect, Input, Link } from "../core/effects.ts";
export { Random } from "../core/random.ts";
export { Digest } from "../recorder/digest.ts";
export { RecordedCore } from "../recorder/recorded-core.ts";
export { bytesOf, type Call, callsOf, FORMAT, type Recording, readRecording, recordingAsBytes } from "../recorder/recording.ts";
export { clashOfColors } from "./checkers/colors.ts";
export { type Traced, watchEvents } from "./checkers/events.ts";
export { watchGhosts } from "./checkers/ghosts.ts";
export { watchKicks } from "./checkers/kicks.ts";
export { watchHeld, watchLeaves } from "./checkers/leaves.ts";
export { differenceInObservers } from "./checkers/observers.ts";
export { differenceInOrder } from "./checkers/order.ts";
export { watchSlices } from "./checkers/slices.ts";
export { type Faults, HEALTHY, type Network } from "./network.ts";
export { TIMER_LATE_MS, type WholeInstance } from "./whole-instance.ts";
export { WholeWorld } from "./whole-world.ts";
export type { Wire } from "./wire.ts";
export { World } from "./world.ts";
export { memberIdOf, type WorldMember } from "./world-client.ts";
export type { Bends, WorldInstance } from "./world-instance.ts";
