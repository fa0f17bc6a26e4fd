/*
 * One member of one board whose session moves between two owners, A and B, while a third instance, V, only looks on (R11, R12 of
 * docs/REPLICATION.md). What slice.pml proves is taken for granted here: an owner's words come in order, and a viewer that missed one is
 * sent a snapshot once losses end. LOSES lets words be lost, STOPS lets an owner stop, TWIN has a copy of the session join as well, at
 * the same attempt. OFF_… switches a clause off, and the verifier has to find a run that misses it.
 */

#ifndef MOVES
#define MOVES 2         /* of the session, after its first join */
#endif
#define A 0
#define B 1
#define V 2

mtype = { set, del, superseded, snapshot, goodbye };
mtype = { here, returning, gone };

/* Words of owner o to instance i: line[o * 3 + i]. */
chan line[6] = [6] of { mtype, byte /* attempt */, byte /* attempt that the owner ended */ };
bool missed[6];         /* something was lost there: what follows does not apply, until a snapshot */
#ifdef LOSES
bool loses = true;
#else
bool loses;
#endif

/* The client. */
mtype client = gone;
byte attempt;
byte at;                /* the instance to which it is connected: A at first */
byte movesLeft = MOVES;
bool hasTwin;
bool isDone;            /* it does nothing more */

/* The owners. */
byte own[3];            /* attempt of the own entry; 0: none */
bool isLost[2];         /* the owner knows that its connection is lost: its grace runs */
byte said[2];           /* the end that its snapshots carry (R11.3) */
bool isStopped[2];

/* What instance i believes. */
byte held[6];           /* held[o * 3 + i]: attempt in its replica of o's slice */
bool hasLeft[6];        /* o has said goodbye to it, or it has judged it down */
byte ended[3];          /* the highest attempt that is over */
byte orphan[3];         /* an attempt that was superseded, of whose successor nothing was heard */
byte shown[3];          /* attempt shown; 0: nobody */
byte shownOf[3];        /* its owner; V: nobody's */

hidden byte best, bestOf, k;

#define line_(o, i) line[(o) * 3 + (i)]
#define into(i) (empty(line[i]) && empty(line[3 + i]))
#define isQuiet (into(A) && into(B) && into(V))
#define misses (missed[1] || missed[2] || missed[3] || missed[5])

inline sayTo(who, whom, kind, a) {
  if
  :: missed[(who) * 3 + (whom)] && kind != goodbye -> skip
  :: !missed[(who) * 3 + (whom)] || kind == goodbye -> line_(who, whom)!kind(a, 0)
  :: loses -> missed[(who) * 3 + (whom)] = true
  fi
}

inline say(o, kind, a) {
  sayTo(o, 1 - (o), kind, a);
  sayTo(o, V, kind, a)
}

/* R11.1: the highest attempt that is not ended; of two, that of the higher instance. */
inline refresh(i) {
  best = ended[i]; bestOf = V;
  if :: own[i] > best -> best = own[i]; bestOf = i :: else fi;
  k = 0;
  do
  :: k < 2 ->
       if
       :: k != i && held[k * 3 + i] > best -> best = held[k * 3 + i]; bestOf = k
#ifndef OFF_R11_1
       :: k != i && held[k * 3 + i] == best && bestOf != V && k > bestOf -> bestOf = k
#endif
       :: else -> skip
       fi;
       k++
  :: else -> break
  od;
  k = 0;
#ifndef OFF_R11_9
  if
  :: i != V && own[i] != 0 && bestOf != i ->
       /* R11.9. Only an entry that has a successor, or was ended, may go. */
       assert(!(client == here && at == i && own[i] == attempt && !hasTwin));
       say(i, superseded, own[i]);
       own[i] = 0
  :: else
  fi;
#endif
  if
  :: bestOf != V -> orphan[i] = 0; shown[i] = best; shownOf[i] = bestOf
  :: else ->
#ifndef LOSES
       /* A session that moves is seen to leave by nobody. */
       assert(!(shown[i] != 0 && orphan[i] == 0 && client != gone));
#endif
       shown[i] = orphan[i]; shownOf[i] = V
  fi;
  best = 0; bestOf = 0
}

/* R11.2. */
inline over(i, a) {
#ifndef OFF_R11_2
  if :: a > ended[i] -> ended[i] = a :: else fi;
#endif
  /* R11.11: a successor that is over takes its predecessor with it. */
  if :: a >= orphan[i] -> orphan[i] = 0 :: else fi
}

inline hear(o, i, kind, a, e) {
  if
  :: isStopped[i % 2] && i != V -> skip
  :: else ->
       if
       :: kind == set -> held[o * 3 + i] = a
       :: kind == del ->
            held[o * 3 + i] = 0;
            over(i, a)
       :: kind == superseded ->
            held[o * 3 + i] = 0;
#ifndef OFF_R11_11
            if :: shown[i] != 0 && a > ended[i] -> orphan[i] = a :: else fi
#endif
       :: kind == snapshot ->
            /* R11.12: what it neither lists nor ends was superseded. */
            if :: a == 0 && held[o * 3 + i] > ended[i] && held[o * 3 + i] > e && shown[i] != 0 -> orphan[i] = held[o * 3 + i] :: else fi;
            held[o * 3 + i] = a;
#ifndef OFF_R11_3
            over(i, e)
#endif
       :: kind == goodbye ->
            hasLeft[o * 3 + i] = true;
#ifdef OFF_R12_2
            held[o * 3 + i] = 0
#endif
       fi;
       refresh(i)
  fi
}

inline finish(o) {
  /* The owner ends its own entry, for everybody. */
  said[o] = own[o];
  say(o, del, own[o]);
  over(o, own[o]);
  own[o] = 0; isLost[o] = false;
  refresh(o)
}

inline join(o, a) {
  /* R11.13 and R11.14. */
  if
  :: a <= shown[o] || a <= ended[o] -> skip
  :: else -> own[o] = a; isLost[o] = false; say(o, set, a); refresh(o)
  fi
}

/* ---- the client ---- */

active proctype Client() {
  byte former = V, to;
  do
  /* It comes, and comes back elsewhere. Its former connection is half-open, or known to be lost. */
  :: atomic {
       if
       :: attempt == 0 -> attempt = 1; to = at
       :: client != gone && movesLeft > 0 && !isStopped[1 - at] -> movesLeft--; attempt++; former = at; at = 1 - at; to = at
       /* On the same instance. */
       :: client == here && movesLeft > 0 && !isStopped[at] -> movesLeft--; attempt++; to = at
#ifdef TWIN
       :: client == here && !hasTwin && !isStopped[1 - at] -> hasTwin = true; to = 1 - at
#endif
       fi;
       client = here;
       if :: own[former] != 0 -> isLost[former] = true :: own[former] != 0 -> skip :: own[former] == 0 fi;
       former = V;
       join(to, attempt); to = 0
     }
  /* It leaves. */
  :: atomic { client == here && own[at] == attempt && !isStopped[at] -> client = gone; finish(at); isDone = true; break }
  /* It is lost for good. */
  :: atomic { client == here && own[at] == attempt && !isStopped[at] -> client = gone; isLost[at] = true; isDone = true; break }
  :: atomic { client == returning && isStopped[at] -> client = gone; isDone = true; break }
  /* It stays. */
  :: atomic { client == here && !isStopped[at] -> isDone = true; break }
  od
}

#ifdef STOPS
active proctype Stops() {
  byte o;
  atomic {
    attempt > 0 -> if :: o = A :: o = B fi;
#ifdef OFF_R12_1
    if :: own[o] != 0 -> finish(o) :: else fi;
#else
    say(o, goodbye, 0);
#endif
    isStopped[o] = true; own[o] = 0;
    if :: client == here && at == o && !isDone -> client = returning :: client == here && at == o && isDone -> client = gone :: else fi
  }
}
#endif

/* ---- what comes, and what times out ---- */

active proctype Hears() {
  mtype kind;
  byte a, e, o, i;
  do
  :: atomic {
       if
       :: line[1]?kind(a, e) -> o = A; i = B
       :: line[2]?kind(a, e) -> o = A; i = V
       :: line[3]?kind(a, e) -> o = B; i = A
       :: line[5]?kind(a, e) -> o = B; i = V
       fi;
       hear(o, i, kind, a, e);
       kind = 0; a = 0; e = 0; o = 0; i = 0
     }
  od
}

/* Graces, the second of R11.11 and the five of R12.2 are longer than any word is under way, and than a client takes to come back. */
#define mayTimeOut (isQuiet && client != returning)

/* R7.9, R12.2 and R12.3. */
#ifndef OFF_R7_9
#define isOver(o, i) (isStopped[o] && mayTimeOut && held[o * 3 + i] != 0)
#else
#define isOver(o, i) (isStopped[o] && mayTimeOut && held[o * 3 + i] != 0 && hasLeft[o * 3 + i])
#endif

/* R11.4: an end is forgotten when all have heard of it. */
#ifndef OFF_R11_4
#define mayForget(i) (ended[i] != 0 && isQuiet && !misses && !loses && isDone)
#else
#define mayForget(i) (ended[i] != 0 && isQuiet && isDone)
#endif

active proctype Timers() {
  byte o, i;
  do
  :: atomic {
       if
       :: own[A] != 0 && isLost[A] && mayTimeOut -> o = A
       :: own[B] != 0 && isLost[B] && mayTimeOut -> o = B
       fi;
       finish(o); o = 0
     }
  :: atomic {
       if
       :: orphan[A] != 0 && into(A) -> i = A; orphan[A] = 0
       :: orphan[B] != 0 && into(B) -> i = B; orphan[B] = 0
       :: orphan[V] != 0 && into(V) -> i = V; orphan[V] = 0
       :: isOver(A, B) -> i = B; held[1] = 0; hasLeft[1] = true
       :: isOver(A, V) -> i = V; held[2] = 0; hasLeft[2] = true
       :: isOver(B, A) -> i = A; held[3] = 0; hasLeft[3] = true
       :: isOver(B, V) -> i = V; held[5] = 0; hasLeft[5] = true
       :: mayForget(A) -> i = A; ended[A] = 0; said[A] = 0
       :: mayForget(B) -> i = B; ended[B] = 0; said[B] = 0
       :: mayForget(V) -> i = V; ended[V] = 0
       fi;
       refresh(i); i = 0
     }
  :: atomic {
       /* What slice.pml proves. Of an owner that has stopped nothing can be heard any more. */
       if
       :: !loses && missed[1] && empty(line[1]) -> o = A; i = B
       :: !loses && missed[2] && empty(line[2]) -> o = A; i = V
       :: !loses && missed[3] && empty(line[3]) -> o = B; i = A
       :: !loses && missed[5] && empty(line[5]) -> o = B; i = V
       fi;
       missed[o * 3 + i] = false;
       if :: isStopped[o] -> skip :: else -> line_(o, i)!snapshot(own[o], said[o]) fi;
       o = 0; i = 0
     }
  :: atomic { loses -> loses = false }
  od
}

/* ---- in the end ---- */

#define agrees(i) (isStopped[i % 2] && i != V || shown[i] == shown[V] && (shown[V] == 0 || shownOf[i] == shownOf[V]))

active proctype Judge() {
  timeout;
#ifdef STOPS
  /* A half-open connection is found out in the end (R11.18). */
  atomic {
    if :: own[A] != 0 && !(client == here && at == A && own[A] == attempt) -> isLost[A] = true :: else fi;
    if :: own[B] != 0 && !(client == here && at == B && own[B] == attempt) -> isLost[B] = true :: else fi
  }
  timeout;
#endif
  assert(isQuiet && !misses && isDone);
  assert(agrees(A) && agrees(B));
#ifdef TWIN
  assert(client != here || shown[V] != 0);
#else
  assert(client == here -> (shown[V] == attempt && shownOf[V] == at) : shown[V] == 0)
#endif
}
