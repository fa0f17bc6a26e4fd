export * from "./binary.ts";
export * from "./bytes.ts";
export * from "./classic.ts";
export * from "./close-codes.ts";
export * from "./domain.ts";
export {
  HEARTBEAT,
  isArea,
  isAvatar,
  isColor,
  isFitState,
  isObject,
  isText,
  isTime,
  isUserId,
  MEMBER_KINDS,
  OBSERVED,
  RECIPIENTS,
  readMember,
  readUuid,
  STATUSES,
  TIMED,
  TIMES,
  VOIDING,
  writeMember,
} from "./fields.ts";
export { HELD_BYTES, hashIn, heldNow, nameHeld, printed } from "./held.ts";
export * from "./json.ts";
export * from "./limits.ts";
export * from "./merge-patch.ts";
export { LEAVE_REASONS, OCCUPANCY } from "./message-fields.ts";
export * from "./messages.ts";
export * from "./mistakes.ts";
export { coordinate, HIDDEN, readMoves, writeMoves } from "./moves.ts";
export { readPaths, writePaths } from "./paths.ts";
export * from "./token-bucket.ts";
