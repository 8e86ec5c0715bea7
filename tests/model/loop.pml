/* The loop of the collector: fetch, push, record, commit. README.md says what is modelled and how to run it.
 *
 * Two rows lie in one window. Microsoft shows and changes them while they are young. Processes share a
 * storage (owner, coverage with gaps, ledger) and an intake. A process may be killed between any two steps,
 * and starts again. When all processes have ended, the judge compares what Microsoft showed with what the
 * intake accepted.
 */

/* ---- Bounds of a search: how often each misfortune may strike -------------------------------------- */

#ifndef WRITERS
#define WRITERS 1 /* processes on one storage: 1 or 2 */
#endif
#ifndef KILLS
#define KILLS 0 /* of processes */
#endif
#ifndef LOST
#define LOST 0 /* acknowledgements of the intake that do not arrive */
#endif
#ifndef FAULTS
#define FAULTS 0 /* pushes that fail without effect */
#endif
#ifndef LIES
#define LIES 0 /* answers of Microsoft with rows missing, or as they were before their last change */
#endif
#ifndef REFUSING
#define REFUSING 0 /* spells in which the intake refuses the second row's events; the last may not end */
#endif
#ifndef CHANGES_0
#define CHANGES_0 3 /* of the first row: hidden, delivered, quarantined, delivered again */
#endif
#ifndef CHANGES_1
#define CHANGES_1 1 /* of the second row */
#endif

#define REPEATED_READS 2 /* more final reads of a window */
#define NOBODY WRITERS

/* Contents of a row: bits, so that a set of them fits a byte. */
#define HIDDEN 0
#define DELIVERED 1
#define QUARANTINED 2
#define IN_DOUBT 4 /* what no row says */
#define OWED 8     /* in the ledger, besides: the intake has refused an event since */

/* Coverage of the window. */
#define UNREAD 0
#define READ 1  /* at least once, completely */
#define FINAL 2 /* no read will visit it again */

/* ---- State of the world, and of the storage -------------------------------------------------------- */

bool young = true; /* the window is younger than the look-back */
byte changes[2];
bool refusing;
byte kills, lost, faults, lies, spells;
bool running[WRITERS], killed[WRITERS];
byte ended;

#define content_after(n) ((n) == 0 -> HIDDEN : ((n) == 2 -> QUARANTINED : DELIVERED))
#define shown(r) content_after(changes[r])
#define shown_before(r) (changes[r] == 0 -> HIDDEN : content_after(changes[r] - 1))

byte owner = NOBODY;    /* the process that started last */
byte coverage = UNREAD; /* one document with the gaps, written as a whole */
bool gaps[2];           /* declared: the intake refused the event up to the final read */
byte ledger[2];         /* the content that was accepted last, and whether an event is owed */

#define accepted(r) (memory[r] & ~OWED)
#define owed(r) (memory[r] & OWED)

#ifdef RECORD_AS_SET
#define known(r) (memory[r] & page[r])
#define recorded(r) (accepted(r) | page[r])
#else
#ifdef REFUSED_IN_PLACE_OF_ACCEPTED
#define known(r) (memory[r] == page[r])
#else
#define known(r) (accepted(r) == page[r])
#endif
#define recorded(r) page[r]
#endif

#ifdef REFUSED_NOT_OWED_AS_BEFORE
#define owed_no_more(r) (owed(r) && page[r] != HIDDEN && known(r))
#else
#define owed_no_more(r) (owed(r) && page[r] != HIDDEN && known(r) && !final)
#endif

/* ---- The judge ------------------------------------------------------------------------------------- */

byte sent[2];       /* the content that the intake accepted last */
byte repeats[2];    /* events that said what the one before had said */
byte takeovers;     /* starts while another process ran */
byte earlier[2];    /* `changes` when the last committed read was answered that was not final */
bool lied[2];       /* the committed final read, which was not the only one, was answered falsely */
byte believed[2];   /* what the ledger held at the final read */
bool unrecorded[2]; /* the last event was accepted and never recorded */
bool crossed[2];    /* the last event was pushed or recorded by a process that had been replaced */

/* Each takeover may repeat what was accepted and not recorded yet, and what was about to be pushed. */
#define explained (kills + lost + 2 * takeovers)

/* The exceptions of docs/guarantees.md. Each can be left out, to see that it is needed. */
#ifdef EXPECT_CHANGES_OF_A_FALSE_FINAL_READ
#define changed_before_a_false_final_read(r) false
#else
#define changed_before_a_false_final_read(r) (lied[r] && earlier[r] != changes[r])
#endif
#ifdef EXPECT_CHANGES_BACK_UNRECORDED
#define changed_back_unrecorded(r) false
#else
#define changed_back_unrecorded(r) (unrecorded[r] && believed[r] == shown(r))
#endif
#ifdef EXPECT_CHANGES_DURING_A_TAKEOVER
#define changed_during_a_takeover(r) false
#else
#define changed_during_a_takeover(r) crossed[r]
#endif

#define excepted(r) \
  (changed_before_a_false_final_read(r) || changed_back_unrecorded(r) || \
   changed_during_a_takeover(r))

inline judge() {
  assert(mine == FINAL);
  assert(sent[0] == shown(0) || declared[0] || excepted(0));
  assert(sent[1] == shown(1) || declared[1] || excepted(1));
  assert(repeats[0] <= explained);
  assert(repeats[1] <= explained)
}

/* ---- Steps of the collector ------------------------------------------------------------------------ */

/* Forget the page: also what makes a process new. */
inline turn() {
  page[0] = HIDDEN; page[1] = HIDDEN; refused = false; fresh = false; final = false; r = 0;
  as_of[0] = 0; as_of[1] = 0; wrong[0] = false; wrong[1] = false
}

/* Last start wins. */
inline claim() {
  turn();
  mine = UNREAD; declared[0] = false; declared[1] = false; memory[0] = HIDDEN; memory[1] = HIDDEN;
  again = 0; waited = 0; late = 0;
  takeovers = takeovers + (WRITERS == 2 && running[WRITERS - 1 - me] -> 1 : 0);
  running[me] = true;
  owner = me
}

inline load() {
  mine = coverage; declared[0] = gaps[0]; declared[1] = gaps[1];
  memory[0] = ledger[0]; memory[1] = ledger[1]
}

/* Before each push and each commit. A replaced process ends. */
inline check() {
#ifndef NO_FENCING
  if
  :: owner == me
  :: owner != me -> goto replaced
  fi
#else
  skip
#endif
}

/* Before anything else is written: looks only now and then. */
inline glance() {
#ifndef NO_FENCING
  if
  :: true
  :: owner != me -> goto replaced
  fi
#else
  skip
#endif
}

inline fetch() {
#ifdef SINGLE_READ_BELIEVED
  final = !young;
#else
  final = !young && mine == READ;
#endif
  page[0] = shown(0); page[1] = shown(1);
  if
  :: true
  :: lies < LIES -> lies++; page[0] = HIDDEN; page[1] = HIDDEN
  :: lies < LIES -> lies++; page[0] = HIDDEN
  :: lies < LIES -> lies++; page[1] = HIDDEN
  :: lies < LIES -> lies++; page[0] = shown_before(0); page[1] = shown_before(1)
  fi;
  if
  :: LIES > 0 ->
    as_of[0] = changes[0]; as_of[1] = changes[1];
    wrong[0] = (page[0] != shown(0)); wrong[1] = (page[1] != shown(1))
  :: else
  fi
}

/* Keep of the page what the ledger does not know. A bucket may have left the memory and is loaded again.
 * A row that is shown as it was accepted is owed no longer, but not by the word of the last read alone.
 */
inline unseen() {
  if
  :: true
  :: memory[0] = ledger[0]; memory[1] = ledger[1]
  fi;
  if
  :: owed_no_more(1) -> memory[1] = accepted(1); ledger[1] = memory[1]
  :: else
  fi;
  page[0] = (known(0) -> HIDDEN : page[0]);
  page[1] = (known(1) -> HIDDEN : page[1])
}

/* Go to the next row to push, from `r` on. */
inline next() {
  do
  :: r < 2 && page[r] == HIDDEN -> r++
  :: else -> break
  od
}

inline accept() {
  repeats[r] = repeats[r] + (sent[r] == page[r] -> 1 : 0);
  sent[r] = page[r];
  unrecorded[r] = true;
  crossed[r] = (owner != me)
}

inline record() {
#ifdef NOTHING_RECORDED
  skip
#else
  memory[r] = recorded(r);
  ledger[r] = memory[r]
#endif
}

inline record_refused() {
  memory[r] = memory[r] | OWED;
#ifndef REFUSED_KEPT_IN_MEMORY
  ledger[r] = memory[r];
#endif
  page[r] = HIDDEN
}

inline delivered() {
  fresh = true;
  unrecorded[r] = false;
  crossed[r] = crossed[r] || owner != me;
  declared[r] = false;
  page[r] = HIDDEN
}

inline declare() {
  declared[1] = declared[1] || (final && owed(1))
}

inline commit() {
  if
  :: LIES > 0 && final ->
    lied[0] = wrong[0] && mine == READ;
    lied[1] = wrong[1] && mine == READ
  :: LIES > 0 && !final ->
    earlier[0] = as_of[0]; earlier[1] = as_of[1]
  :: else
  fi;
  if
  :: final -> believed[0] = accepted(0); believed[1] = accepted(1)
  :: else
  fi;
  mine = (final -> FINAL : READ);
  coverage = mine; gaps[0] = declared[0]; gaps[1] = declared[1]
}

/* A final read is repeated while it brings something new or something is owed, but not for ever. */
#ifdef ONE_COUNT_OF_REPEATS
#define repeat_for_refused (owed(1) && again < REPEATED_READS)
#define count_refused again++
#else
#define repeat_for_refused (owed(1) && waited < REPEATED_READS)
#define count_refused waited++
#endif
#ifdef FINAL_READ_CONFIRMED
#define repeat_for_news (again < REPEATED_READS && (fresh || again == 0))
#else
#define repeat_for_news (again < REPEATED_READS && fresh)
#endif

proctype Collector(byte me) {
  byte mine;      /* its own view of the coverage */
  byte memory[2]; /* its own view of the ledger */
  byte page[2];   /* what it has still to push */
  byte as_of[2];  /* for the judge: `changes` when the page was fetched */
  bool declared[2], wrong[2], refused, fresh, final;
  byte r, again, waited, late;

start:
  {
    atomic { claim() };
#ifdef PREDECESSOR_WAITED_OUT
    atomic {
      if
      :: owner == me && (WRITERS == 1 || !running[WRITERS - 1 - me])
      :: owner != me -> goto replaced
      fi
    };
#endif
    atomic { load() };
    do
    :: mine != FINAL ->
      atomic { fetch(); unseen(); next() };
#ifdef COMMIT_BEFORE_PUSH
      atomic { commit() };
#endif
      do
      :: r < 2 ->
push:
        atomic { check() };
#ifdef CHANGES_NOTED_BEFORE_PUSH
        atomic {
          if
          :: accepted(r) != HIDDEN -> memory[r] = owed(r) | IN_DOUBT; ledger[r] = memory[r]
          :: else
          fi
        };
#endif
#ifdef RECORD_BEFORE_PUSH
        atomic { record() };
#endif
attempt:
        atomic {
          late = late + (owner != me -> 1 : 0);
          assert(late <= 1);
          if
          :: r == 1 && refusing -> refused = true
          :: !(r == 1 && refusing) -> accept()
          :: !(r == 1 && refusing) && lost < LOST -> lost++; accept(); goto retry
          :: faults < FAULTS -> faults++; goto retry
          fi
        };
        atomic { glance() };
        atomic {
          if
#ifndef REFUSED_RECORDED
          :: r == 1 && refused -> record_refused()
          :: !(r == 1 && refused) -> record(); delivered()
#else
          :: true -> record(); delivered(); refused = false
#endif
          fi;
          next()
        }
      :: r == 2 -> break
      od;
      atomic {
        if
        :: final && repeat_for_news -> again++; goto turned
        :: final && !repeat_for_news && repeat_for_refused -> count_refused; goto turned
        :: else -> again = 0; waited = 0
        fi;
#ifdef COMMITTED_WITHOUT_LOOK
        glance()
#else
        check()
#endif
      };
#ifdef DECLARED_AFTER_COMMIT
      atomic { commit() };
#endif
      atomic { declare(); commit() };
turned:
      atomic { turn() }
    :: atomic { mine == FINAL && owner != me -> goto replaced }
    :: atomic { mine == FINAL && ended == WRITERS - 1 -> goto over }
    od;
retry:
    if
#ifdef RETRIED_WITHOUT_LOOK
    :: goto attempt
#else
    :: goto push
#endif
    :: goto turned /* refused for now: the window is read again */
    fi
  } unless { killed[me] };
  atomic { killed[me] = false; running[me] = false; goto start };
replaced:
over:
  atomic {
    running[me] = false;
    ended++;
    if
    :: ended == WRITERS -> judge()
    :: else
    fi
  }
}

/* ---- What happens around it ------------------------------------------------------------------------ */

active proctype Microsoft() {
  do
  :: young && changes[0] < CHANGES_0 -> changes[0]++
  :: young && changes[1] < CHANGES_1 -> changes[1]++
  :: young -> young = false; break
  od
}

active proctype Intake() {
end:
  do
  :: spells < REFUSING && !refusing -> refusing = true; spells++
  :: refusing -> refusing = false
  od
}

#define alive(p) (running[p] && !killed[p])

active proctype Fate() {
end:
  do
  :: atomic { kills < KILLS && alive(0) -> kills++; killed[0] = true }
  :: atomic { kills < KILLS && alive(WRITERS - 1) -> kills++; killed[WRITERS - 1] = true }
  :: ended == WRITERS -> break
  od
}

init {
  atomic {
    run Collector(0);
    if
    :: WRITERS == 2 -> run Collector(1)
    :: else
    fi
  }
}
