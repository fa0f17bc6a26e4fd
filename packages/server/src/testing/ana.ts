/** An instance and one of its members, for tests of bytes on the bus. */

import type { InstanceId, Member, MemberId } from "@presence-service/protocol";

export const FROM = "3f2a9c51-7d04-4e8b-9a66-0c1d2e3f4a5b" as InstanceId;
export const ANA = "00112233445566778899aabbccddeeff" as MemberId;
export const ana: Member = {
  memberId: ANA,
  userId: "u-7",
  username: "Ana",
  color: "#d94f30",
  status: "active",
  kind: "person",
  joinedAt: 1_760_000_000_000,
  state: {},
};
