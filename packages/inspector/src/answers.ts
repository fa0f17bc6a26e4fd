/** The answers of the service, as far as this page reads them: docs/admin-api.json has all of them. Names, states and ids in them are untrusted text. */

export type Health = {
  readonly status: "starting" | "ok" | "degraded" | "draining";
  /** These are not told to strangers. */
  readonly instanceId?: string;
  readonly degraded?: { readonly all: boolean; readonly boards: number; readonly reason: string } | null;
  readonly version?: string;
  readonly uptimeMs?: number;
  readonly redis?: {
    readonly mode: string;
    readonly address: string;
    readonly publisher: string;
    readonly subscriber: string;
    readonly echoMs: number | null;
    readonly pingMs: number | null;
  };
  readonly peers?: readonly Peer[];
  readonly boards?: number;
  readonly members?: { readonly own: number; readonly shown: number };
  readonly observers?: number;
  readonly watched?: number;
  readonly connections?: number;
};

export type Peer = { readonly instanceId: string; readonly state: "up" | "deaf" | "suspect" | "down"; readonly lastHeardMs: number };

export type Instances = {
  readonly self: string;
  readonly peers: readonly Peer[];
  readonly hears: readonly { readonly instanceId: string; readonly heard: string; readonly agoMs: number }[];
};

export type BoardStats = {
  readonly boardId: string;
  readonly own: number;
  readonly members: number;
  readonly users: number;
  readonly observers: number;
  readonly degraded: boolean;
};

export type Boards = { readonly boards: readonly BoardStats[]; readonly more: boolean };

export type BoardDetail = BoardStats & {
  readonly slices: readonly {
    readonly owner: string;
    readonly members: number;
    readonly seq: number;
    readonly standing: string;
    readonly wordMs: number;
    readonly isInDoubt: boolean;
  }[];
};

export type Member = {
  readonly memberId: string;
  readonly userId: string;
  readonly username: string;
  readonly color: string;
  readonly status: string;
  readonly kind: string;
  readonly joinedAt: number;
  readonly area?: string;
  readonly state: object;
  /** The instance to which it is connected, in a list of members. */
  readonly owner?: string | null;
};

export type Members = { readonly members: readonly Member[]; readonly more: boolean };

export type Claim = {
  readonly owner: string;
  readonly attempt: number;
  readonly seq: number;
  readonly slot: number;
  readonly status: string;
  readonly standing: "live" | "fading" | "gone";
  readonly wordMs: number;
  readonly heartbeatMs: number | null;
  readonly isInDoubt: boolean;
  readonly graceMs: number | null;
  readonly connection?: number;
};

export type Reasons = {
  readonly shown: {
    readonly member: Member;
    readonly actor: number;
    readonly owner: string | null;
    readonly attempt: number;
    readonly forMs: number;
  } | null;
  readonly claims: readonly Claim[];
  readonly endedAttempt: number | null;
  readonly instances: readonly { readonly instanceId: string; readonly state: string; readonly isShown: boolean | null }[];
};
