/**
 * Every number of the rules, in one table that says where each comes from. docs/REPLICATION.md shows the same table, and
 * `assertConsistent` compares the numbers with each other when an instance is made.
 */

import type { Millis } from "@presence-service/protocol";

export type Constants = typeof DEFAULTS;

const DEFAULTS = {
  /** R7. Short enough that eight make four seconds; an instance then costs its peers two small messages a second. */
  heartbeatMs: 500 as Millis,
  /** R7. Up to so many instances hear every beat of each other: 200 a second. */
  heartbeatInstancesMax: 100,
  /** R7. Above `heartbeatInstancesMax`, where Redis refuses the channels of groups: 200 beats a second are published in all, and delivered to each. */
  heartbeatMsPerInstance: 5 as Millis,
  /** R7. Above `heartbeatInstancesMax` instances beats to all are so rare: 100 a second in all. Those between go to a group. */
  farMsPerInstance: 10 as Millis,
  /** R7. Channels for the beats between: enough to choose finely how many others an instance hears in a cluster of thousands. */
  beatGroups: 64,
  /** R7. Every beat of so many peers is heard: 100 beats a second, and as many witnesses of each instance's end. */
  nearPeers: 50,
  /** R7. So many instances must say that a peer is silent: one alone may be deaf, or made up. */
  accusersMin: 2,
  /** R7. A peer is suspect for so many beats before others' word makes it down: if it lives, it has said so by then. */
  refuteBeats: 3,
  /** R7. An accused instance says so many of its next beats to all: some may be lost. */
  refutations: 3,
  /** R7. An interval grows at most by this factor per beat: peers that somebody made up are judged down before they slow any instance. */
  heartbeatGrowthMax: 1.25,
  /** R7. 1.5 s of silence while own beats come back: the peer may be gone, so its people are shown as reconnecting. */
  suspectBeats: 3,
  /** R7. 4 s: a 2 s stall and two lost beats together stay under it; a killed instance is gone within 5 s. */
  downBeats: 8,
  /** R7. After a recovery peers need a beat or two to be heard again. */
  calmBeats: 4,
  /** R8. No message stays for so long in a socket buffer that Redis still reads. */
  downRememberedMs: 60_000 as Millis,
  /** R8. Instances known that have not proved themselves: an instance that joins a cluster of a thousand meets so many in one interval. */
  strangersMax: 1024,
  /** R8. A peer's interval is believed up to so many times the own one, and its number of boards up to so many times its last one. */
  believedFactorMax: 2,
  /** R8. So many boards of a peer are believed at once: a hundred forged heartbeats then leave the beacon period as it is. */
  believedBoardsMin: 1000,
  /** R9. Four beats are 2 s: longer than any pause of a healthy Redis, half of what makes a peer down. */
  unechoedBeatsMax: 4,
  /** R9. A publish unanswered this long means a hung server; a healthy one answers in 1 ms. */
  unansweredMsMax: 3000 as Millis,
  /** R9. A reconnect takes up to 2 s; a connection that is judged sooner would only be replaced again. */
  recycleMsMin: 4000 as Millis,
  /** R9. After so much silence, members heard of before it are no longer shown. */
  clearRemoteMs: 30_000 as Millis,
  /** R9. Four times a slow echo: if a message on a board has not come back by then, the subscription is lost. */
  boardUnechoedMs: 2000 as Millis,
  /** R9. Pairs (board, instance) asked per second by the whole cluster in recovery: a tenth of what one Redis carries. */
  recoveryPairsPerSecond: 20_000,
  /** R9. The longest wait between two attempts to reach Redis: well under suspect + down, so that a Redis that is back is used before peers are given up. */
  reconnectMsMax: 1000 as Millis,
  /** R10. Acknowledged peers per heartbeat: three fit in its 50 bytes. */
  acksPerBeat: 3,
  /** R10. When a peer is silent for so many beats, every heartbeat says which beat of it was heard last. */
  silentBeats: 2,
  /** R10. If a peer acknowledges an own beat although so many newer ones have come back, it did not hear the newer ones. */
  staleAckBeats: 3,
  /** R10. Beats of slack on top of two of the peer's turns. */
  muteSlackBeats: 3,
  /** R10. As long as `recycleMsMin`: peers have to hear and acknowledge a new publisher before it is judged. */
  muteRetryMsMin: 4000 as Millis,
  /** R10. While a new publisher does not help, the wait for the next one doubles up to this. */
  muteRetryMsMax: 30_000 as Millis,
  /** R10. So many beats of every peer without an acknowledgement, 10 s, make this instance unheard: a new connection would help sooner. */
  unheardBeatsMax: 20,
  /** R4. Jitter before the first ask, so that instances that saw the same loss do not all ask at once. */
  askMsMin: 20 as Millis,
  askMsMax: 100 as Millis,
  /** R4. Between asks that brought no answer: many times a slow round trip. The wait doubles each time. */
  askBackoffMsMin: 250 as Millis,
  askBackoffMsMax: 1000 as Millis,
  /** R4. If a living owner leaves so many asks unanswered, although they came back, it has no slice on the board. */
  unansweredAsksMax: 5,
  unansweredAsksMaxUnknown: 2,
  /** R4. After so many beacon periods without a message of the owner on the board, its slice is in doubt. */
  silentBeacons: 4,
  /** R5. The second question reaches instances that subscribed in between. */
  syncAgainMs: 250 as Millis,
  /** R5. A question to all says of at most so many owners what is held, in 2.8 KB: more than a cluster of usual size has on one board. */
  heldOwnersMax: 128,
  /** R5. An instance answers once per board in this time, for all instances that asked. */
  answerMs: 100 as Millis,
  /** R5. An owner remembers so many changes of a slice, and so many bytes of them, to tell them again. */
  replayOpsMax: 256,
  replayBytesMax: 65_536,
  /** R5. The longest a first joiner waits for its roster, whatever Redis does. */
  openMs: 150 as Millis,
  /** R6. Beacons so long after a change: if the change was lost, they show it. */
  beaconAfterChangeMs: [300, 1500] as readonly Millis[],
  /** R6. Between beacons while the last own change has not come back. */
  beaconUnechoedMsMin: 1000 as Millis,
  beaconUnechoedMsMax: 4000 as Millis,
  /** R6. Between beacons of a board where nothing changes. Four of these without a message, about a minute, raise a doubt (R4). */
  beaconMsMin: 15_000 as Millis,
  /** R6. While no other instance is subscribed, beacons are so many times rarer: enough to notice a lost subscription within 60 s. */
  idleBeaconsPerBeacon: 3,
  /** R6. Beacons per second by the whole cluster. */
  beaconsPerSecond: 10_000,
  /** R6. Share by which a beacon period varies, so that the beacons of many boards spread out by themselves. */
  beaconJitter: 0.2,
  /** R6. Periodic beacons leave on this grid, with a heartbeat: those of ten thousand boards that are due within it cost one write to Redis. */
  beaconGridMs: 500 as Millis,
  /** R6. So long after a cursor has stopped, its last position is published once more. */
  repeatCursorMs: 300 as Millis,
  /** R25. Moves that go to the channels of peers go over the board's own channel so often: a viewer that nobody knows of waits no longer. */
  moveHereMs: 1000 as Millis,
  /** R11. Longer than a half-open connection lives (25 s) plus its grace (15 s). */
  endedMs: 45_000 as Millis,
  /** R11. How long a member outlives its superseded entry while the new one is on its way. */
  successorMs: 1000 as Millis,
  /** R12. Clients of a stopped instance come back within 2 s: twice that, in case the next instance stops as well, and 1 s of slack. */
  goodbyeMs: 5000 as Millis,
  /** R12. Clients of a stopped instance come back spread over this time at least: a load balancer needs a moment to notice. */
  retryMsMin: 100 as Millis,
  /** R12. 500 a second for each instance that stops: every client that returns costs a handshake, a roster and a place in a frame. */
  retryMsPerClient: 2 as Millis,
  /** R12. Clients of a stopped instance come back spread over this time at most, however many they are. */
  retryMsMax: 2000 as Millis,
  /** R12. An instance that is the last one up for the moment waits so long for another: longer than a process takes to start. */
  relieveMs: 3000 as Millis,
  /** R15. Nobody reads numbers that change faster, and a board of a thousand that all come at once costs one message a second. */
  occupancyMs: 1000 as Millis,
  /** R15. Between words about a board that does not change. */
  occupancyPeriodMs: 15_000 as Millis,
  /** R15. After so long without a word about a board it is asked about: one lost word is no loss. */
  occupancySilentMs: 20_000 as Millis,
  /** R15. So long an instance goes on telling beside its successor, which may not know all members yet. */
  handoverMs: 2000 as Millis,
  /** R15. Between wants of one instance. */
  wantMs: 15_000 as Millis,
  /** R15. A want holds for so many of these times: two of them may be lost. */
  wantLeasePeriods: 2.7,
  /** R15. Waits after the asks about one board: they are said at 0, 0.25 and 0.75 s, and 1.5 s after the first one nobody is there. */
  wantAskMs: [250, 500, 750] as readonly Millis[],
  /** R15. Boards that a client begins to watch in this time are asked about in one message. */
  wantGatherMs: 20 as Millis,
  /** R15. Wants are said again so long after a peer has asked for them, so that not all watchers do at once. */
  wantAgainMsMin: 100 as Millis,
  wantAgainMsMax: 500 as Millis,
  /** R15. Wanted boards times the instances that hear of it, a second: 400 KB/s of Redis's output for each watching instance. */
  wantsPerSecond: 50_000,
  /** R15. Wanted boards that an instance remembers: about 60 MB. */
  wantedBoardsMax: 500_000,
  /** R11. A board outlives its last local member by this: others may ask which attempts ended there (R11), and a page reload costs nothing. */
  lingerMs: 45_000 as Millis,
  /** R11. A board whose last change did not come back lingers so long: it outlives an outage of minutes, and one of hours fills no memory. */
  lingerUnechoedMs: 300_000 as Millis,
  /** R2. A slot or actor is not given to another member while a message that names it may be under way. */
  numberRestMs: 60_000 as Millis,
  /** C6. How long rosters may still be incomplete after a start or a recovery. */
  settlingMs: 15_000 as Millis,
  /** R23. An instance tells its own time so often: clocks drift apart by a millisecond in 10 s at most, and it costs 2 bytes a second. */
  timeMs: 4000 as Millis,
  /** R23. A member that comes back so soon after a leave which no owner has said never left: as long as the longest grace (C2). */
  falseLeaveMs: 15_000 as Millis,
  /** R2. Members in one snapshot message: with full states about 1 MB, with usual ones 30 KB. */
  snapshotMembersMax: 250,
};

export const CONSTANTS: Constants = DEFAULTS;

/** Compares the numbers with each other. Throws a sentence that says which two contradict each other. */
export function assertConsistent(c: Constants): void {
  const downMs = c.downBeats * c.heartbeatMs;
  const demand = (holds: boolean, sentence: string) => {
    if (!holds) throw new Error(`the constants of replication contradict each other: ${sentence}`);
  };
  const beaconsMs = Math.max(...c.beaconAfterChangeMs);
  demand(c.suspectBeats < c.downBeats, "a peer must be suspect before it is down");
  demand(c.suspectBeats * c.heartbeatMs <= beaconsMs, "a silence that cannot hide a change and its beacons must not count as long");
  demand(c.suspectBeats * c.heartbeatMs + downMs > c.reconnectMsMax, "the Redis reconnect backoff must stay under suspect + down");
  demand(c.unechoedBeatsMax * c.heartbeatMs < downMs, "my own silence must be noticed before my peers' silence is judged");
  demand(c.unansweredMsMax < downMs, "a hung publisher must be noticed before peers give me up");
  demand(c.refuteBeats < c.downBeats, "an accused instance needs less time to answer than its silence takes to be judged");
  demand(c.clearRemoteMs > downMs, "peers must be judged before all of them are cleared");
  demand(
    (c.staleAckBeats + 1) * c.heartbeatMs + c.reconnectMsMax < downMs - c.heartbeatMs,
    "an instance that is mute must notice it and connect anew before its peers give it up",
  );
  demand(c.silentBeats < c.staleAckBeats, "a peer must be told of its silence before it can be mute");
  demand(c.recycleMsMin > c.unechoedBeatsMax * c.heartbeatMs, "a recycled connection needs time to prove itself");
  demand(c.recycleMsMin > c.unansweredMsMax, "a recycled publisher needs time to be answered");
  demand(c.muteRetryMsMin >= c.recycleMsMin, "a publisher that is replaced as mute needs as much time as any");
  demand(c.muteRetryMsMin <= c.muteRetryMsMax, "the first wait of a mute instance is its shortest");
  demand(c.boardUnechoedMs > c.heartbeatMs, "a board's own echo is judged by heartbeats that came back since");
  demand(c.downRememberedMs >= c.endedMs, "a down peer must be remembered as long as what it may bring back");
  demand(c.lingerMs >= c.endedMs, "an owner must keep its board for as long as the ends that it may be asked for");
  demand(c.lingerUnechoedMs > c.lingerMs, "an owner must keep a board longest where nobody can have heard of its last change");
  demand(c.numberRestMs >= c.downRememberedMs, "a number must rest until everybody forgot its last bearer");
  demand(c.relieveMs < c.goodbyeMs, "an instance must not wait for peers that it has given up");
  demand(c.goodbyeMs < c.downRememberedMs, "a stopped peer must be remembered longer than it is shown");
  demand(c.successorMs > c.openMs, "a superseded member must outlive the way of its successor");
  demand(c.askMsMin <= c.askMsMax && c.askMsMax <= c.askBackoffMsMin, "the first ask comes before the second");
  demand(c.askBackoffMsMin <= c.askBackoffMsMax, "the first wait between asks is the shortest");
  demand(c.askBackoffMsMin > c.answerMs, "an owner that answers at its pace must not be asked again before");
  demand(c.retryMsMin <= c.retryMsMax, "the shortest spread of returning clients must not be above the longest");
  demand(c.goodbyeMs > 2 * c.retryMsMax, "clients of a stopped instance need the time for two returns before their members are given up");
  demand(c.openMs > c.askMsMax, "a first joiner waits longer than a first ask");
  demand(c.openMs > c.answerMs, "a first joiner waits longer than an owner that answers at its pace");
  demand(c.syncAgainMs > c.answerMs, "the second question to all must find an owner that may answer");
  demand(
    c.beaconUnechoedMsMin <= c.beaconUnechoedMsMax && c.beaconUnechoedMsMax < c.beaconMsMin,
    "a change without echo is told before peace",
  );
  demand(c.occupancySilentMs > c.occupancyPeriodMs, "a board of which counts are told must not count as silent");
  demand(c.wantLeasePeriods > 2, "a want must outlive two that are lost");
  demand((c.wantAskMs[0] ?? 0) > c.answerMs, "a teller that answers at its pace must not be asked again before");
  demand(beaconsMs < c.beaconMsMin * (1 - c.beaconJitter), "a change is told again before peace");
  demand(c.handoverMs > beaconsMs, "a successor must have heard every beacon of a change before it tells alone");
  demand(
    c.idleBeaconsPerBeacon * (1 + c.beaconJitter) < c.silentBeacons,
    "an owner that believes itself alone must speak before it is doubted",
  );
}
