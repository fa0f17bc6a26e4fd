/*
 * One owner, one viewer, one board: changes, losses, asks, replays and snapshots (R2 to R6 of docs/REPLICATION.md).
 * A slice is a set of two members; a change adds or removes one of them. Timers have no times: they may fire whenever what they wait for
 * is so. OFF_… switches a clause off, and the verifier has to find a run that misses it. FORGED puts one false word in the owner's name.
 */

#ifndef CHANGES
#define CHANGES 2       /* of the slice */
#endif
#ifndef DEPTH
#define DEPTH 2         /* messages under way to the viewer, over each link; a snapshot takes two */
#endif
#define SEQS (2 * CHANGES + 2)
#define NOTHING 0

mtype = { delta, part, replay, beacon };

/* What is under way: of each of the two links one after the other, and any order between them. */
chan line[2] = [DEPTH] of { mtype, byte /* seq */, byte /* prev, part or from */, byte /* op, content or hash */ };
chan asks = [1] of { byte /* seq held */ };

/* The owner. */
byte link;              /* of its connection: 0, and 1 after it connected anew */
byte seq;
byte slice;
byte prevOf[SEQS];      /* its past: a replay is cut out of it, and the viewer is judged by it */
byte opOf[SEQS];
byte had[SEQS];
byte changes;
bool isOpen = true;     /* false: the board has outlived its last member long enough (R11.5) */

/* The network. */
bool loses = true;
byte forgeries = 1;     /* how many are left */

/* The viewer. */
byte newestLink;
byte held;
byte prevHeld;          /* that led to the seq held */
byte view;
byte named;             /* by the owner's last word */
bool silent = true;     /* R5.2: it asks when it subscribes */
bool diverged;
bool asked;
byte unanswered;
byte partSeq, partOfIt; /* the first part of a snapshot */

#define inDoubt (held < named || diverged || silent)
#define equal (view == slice && (!isOpen || held == seq))
#define isQuiet (empty(line[0]) && empty(line[1]))

/* ---- the owner ---- */

inline say(kind, s, b, c) {
  if
  :: line[link]!kind(s, b, c)
  :: loses -> skip
#ifdef DUPLICATES
  :: loses && len(line[link]) + 2 <= DEPTH -> line[link]!kind(s, b, c); line[link]!kind(s, b, c)
#endif
  fi
}

#define hasRoomFor(n) (len(line[link]) + n <= DEPTH)

active proctype Changes() {
  byte next, op;
  do
  :: atomic {
       isOpen && changes < CHANGES && hasRoomFor(1) ->
       /* R2.1: the counter is one for all boards, so it may have risen by more than one. */
       if :: next = seq + 1 :: next = seq + 2 fi;
       if :: op = 1 :: op = 2 fi;
       prevOf[next] = seq; opOf[next] = op; had[next] = slice ^ op;
       slice = slice ^ op;
       say(delta, next, seq, op);
       seq = next;
       changes++; next = 0; op = 0
     }
  /* R11.5. Whether it was heard or not: the owner gives up waiting for its echo in the end. */
  :: atomic { isOpen && changes == CHANGES && slice == NOTHING -> isOpen = false }
  od
}

#ifndef OFF_R6_1
active proctype Beacons() {
  /* R6.1: hash and count stand for the slice. The timer may fire whenever nothing is under way, either way: what has come is read before. */
  do
  :: atomic { isOpen && isQuiet && empty(asks) -> say(beacon, seq, 0, slice) }
  od
}
#endif

active proctype Answers() {
  byte from;
  do
  :: atomic {
       nempty(asks) && hasRoomFor(2) ->
       asks?from;
       if
       :: !isOpen -> skip
#ifndef OFF_R5_6
       /* R5.6: a beacon, if the seq held is right. */
       :: isOpen && from == seq -> say(beacon, seq, 0, slice)
       /* R5.14: a replay, if what was held is a point of the past, or the whole slice. Either is right. */
       :: isOpen && from != seq && from != 0 && from < seq && (from == prevOf[seq] || prevOf[prevOf[seq]] == from) -> say(replay, seq, from, 0)
       :: isOpen && from != seq ->
            say(part, seq, 0, slice & 1);
            say(part, seq, 1, slice & 2)
#else
       :: isOpen -> say(beacon, seq, 0, slice)
#endif
       fi;
       from = 0
     }
  od
}

/* ---- the network ---- */

active proctype Network() {
  /* The owner connects anew: what the old connection had in its buffer may come later than what the new one brings (R3.1). */
  do
#ifdef RECONNECTS
  :: atomic { loses && link == 0 -> link = 1 }
#endif
#ifdef FORGED
  /* A word of anybody, of the forms that hurt most: far ahead, or of the next change, or of the seq that is held. */
  :: atomic {
       loses && forgeries && hasRoomFor(1) ->
       if
       :: line[link]!delta(held + 1, held, 1)
       :: line[link]!delta(SEQS + 1, held, 2)
       :: line[link]!beacon(SEQS + 1, 0, 0)
       :: line[link]!beacon(held, 0, 3 - view)
       fi;
       forgeries = 0
     }
#endif
  :: atomic { loses -> loses = false; break }
  od
}

/* ---- the viewer ---- */

inline diverge() {
  diverged = true
}

/* R3.6: a delta applies if its prev is the seq held. */
inline apply(s, p, op) {
  if
#ifdef OFF_R3_6
  :: s > held -> prevHeld = p; held = s; view = view ^ op
#else
  :: p == held && s > held -> prevHeld = p; held = s; view = view ^ op
#endif
  :: else ->
       if
#ifndef OFF_R3_8
       /* R3.8 and R3.9: a repeat, or a divergence. */
       :: s == held && p != prevHeld -> diverge()
#else
       :: s == held -> diverge()
#endif
       :: else -> skip
       fi
  fi
}

inline hear(kind, s, b, c) {
  /* Any word of the owner (R4.1, R4.6, R4.12). */
  silent = false; unanswered = 0;
#ifndef OFF_R4_1
  named = s;
#endif
  if
  /* R3.10: its numbers only rise, so it has never reached the seq held. */
#ifndef OFF_R3_10
  :: s < held && !diverged -> diverge()
#else
  :: s < held -> skip
#endif
  :: else ->
       if
       :: kind == delta -> apply(s, b, c)
       :: kind == replay ->
            /* R5.15: at most two changes. Those before what is held are for others. */
            if
#ifndef OFF_R5_15
            :: !diverged && prevOf[s] == held -> apply(s, prevOf[s], opOf[s])
            :: !diverged && prevOf[s] != held && prevOf[s] != b && prevOf[prevOf[s]] == b && b == held ->
#else
            :: !diverged && prevOf[s] == b -> prevHeld = b; held = s; view = view ^ opOf[s]
            :: !diverged && prevOf[s] != b ->
#endif
                 view = view ^ opOf[prevOf[s]] ^ opOf[s]; prevHeld = prevOf[s]; held = s
            :: else -> skip
            fi
       :: kind == part && b == 0 -> partSeq = s; partOfIt = c
       :: kind == part && b == 1 ->
            if
            /* R3.7: a snapshot applies once all its parts came. R4.3: it ends a divergence, whatever seq it has. */
#ifndef OFF_R3_7
            :: partSeq == s ->
#else
            :: true ->
#endif
                 view = partOfIt | c; held = s; diverged = false
            :: else -> skip
            fi;
            partSeq = 0; partOfIt = 0
       :: kind == beacon ->
            if
#ifndef OFF_R4_2
            :: s == held && c != view -> diverge()
#endif
            :: else -> skip
            fi
       fi
  fi
}

active proctype Hears() {
  mtype kind;
  byte s, b, c;
  do
  :: atomic {
       if
       :: line[0]?kind(s, b, c) ->
            if
#ifndef OFF_R3_1
            :: newestLink == 1 -> skip
#endif
            :: else -> hear(kind, s, b, c)
            fi
       :: line[1]?kind(s, b, c) -> newestLink = 1; hear(kind, s, b, c)
       fi;
#ifndef OFF_R4_8
       asked = false;   /* R4.8: owners still in doubt are asked again. */
#endif
       kind = 0; s = 0; b = 0; c = 0;
       if :: !inDoubt -> asked = false :: else fi;
#ifndef FORGED
       /* Nothing is shown that the owner never had, and nobody is accused of a contradiction who told none. */
       assert(held < SEQS && view == had[held]);
       assert(!diverged)
#endif
     }
  od
}

active proctype Asks() {
  do
  :: atomic {
       inDoubt && empty(asks) && !asked && unanswered < 2 ->
#ifdef OFF_R4_8
       asked = true;
#endif
       if
#ifndef OFF_R4_3
       :: diverged -> if :: asks!0 :: loses -> skip fi
#endif
       :: else -> if :: asks!held :: loses -> skip fi
       fi;
       /* R4.12. Only an ask that nobody answers counts: an answer sets this back. */
       if :: !isOpen -> unanswered++ :: else fi
     }
  od
}

active proctype Doubts() {
  do
  /* R4.4: a beat was skipped, so a word on this board may have been missed as well. */
  :: atomic { loses && held != 0 && !inDoubt -> silent = true }
#ifndef OFF_R4_6
  /* R4.6: a silence of four beacon periods is real only where the owner has none any more. */
  :: atomic { !isOpen && isQuiet && !inDoubt && held != 0 -> silent = true }
#endif
#ifndef OFF_R4_13
  :: atomic { unanswered == 2 && isQuiet -> held = 0; view = NOTHING; prevHeld = 0; named = 0; diverged = false; silent = false; unanswered = 0 }
#endif
  od
}

/* Something happens elsewhere: a run in which nothing happens here any more is a run as well. */
active proctype Elsewhere() { do :: isOpen || !isOpen od }

/* Whenever losses end, what is shown is the owner's slice, and stays so. */
ltl heals { (<>[] !loses) -> (<>[] equal) }
