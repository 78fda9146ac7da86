#include "tests/model/canaries.h"

namespace ebcache::model {

namespace {
constexpr Canary kCanaries[] = {
    // A step of the state word as two: look, then act.
    {"release-in-two-steps", "01 reclaim, found and dirtied"},
    {"stale-put-in-two-steps", "02 stale put, found and reused"},
    {"get-in-two-steps", "find+find"},
    {"freeze-in-two-steps", "find+migrate"},
    {"dirty-in-two-steps", "find+dirty"},
    {"writeback-in-two-steps", "find+writeback"},
    {"park-in-two-steps", "passed over by reclaim, then idle"},
    // Steps that forget something.
    {"stale-put-under-io", "stale put while it is written"},
    {"read-without-reference", "03 reclaim, found and read"},
    {"read-without-second-look", "read+read (not cached)"},
    {"failed-read-stays", "20 a read fails, another waits"},
    {"dirty-counted-late", "dirty blocks are never missed"},
    {"dirty-again-is-a-look", "retry: beside a dirtier", true},
    {"limit-mark-stays", "dirty limit: beside a flush"},
    {"unpark-forgotten", "passed over by reclaim, then idle"},
    {"unpark-restores-nothing", "over the budget, then idle"},
    {"thaw-restores-nothing", "over the budget by what is on the move"},
    {"budget-is-looked-at", "over the budget by what is on the move", true},
    // Writes that fail, and what others make of them.
    {"failed-write-is-read-over", "retry: beside a reader"},
    {"failed-write-looks-clean", "write: fails once, read and reclaimed"},
    {"failed-write-uncounted", "retry: by flush, beside a reader"},
    {"flush-passes-over-others", "flush: beside a writer"},
    {"flush-drops-others-errors", "write: fails once, flush and writer"},
    {"given-up-while-written", "give up: beside a flush and a dirtier"},
    {"error-forgotten-late", "clean: beside the next failure"},
    {"waiter-gets-anothers-expectation", "expect: one is wrong"},
    // Sources that wait for each other.
    {"circle-of-calls-closed", "source: two want each other's blocks"},
    {"circle-looked-for-before-joining", "source: two want each other's blocks"},
    // Wake-ups that are lost.
    {"read-end-without-wake", "read+read (not cached)"},
    {"write-end-without-wake", "writeback+writeback"},
    {"thaw-without-wake", "find+migrate"},
    // Moving.
    {"migrate-without-freeze", "read+migrate"},
    {"freeze-without-folio-check", "a folio that has another block by now"},
    {"two-movers", "frame: free and two movers"},
    {"free-in-two-steps", "frame: free and move"},
    {"isolated-neighbours-merge", "region: neighbours emptied"},
    {"end-of-move-tries-once", "frame: free and move"},
    // Going: owners, the thread that reclaims.
    {"goes-without-quiescing", "the cache goes beside a move"},
    {"quiesce-without-wait", "owner: goes beside a call"},
    {"call-of-a-quiesced-owner", "owner: goes beside a call"},
    {"reclaim-stopped-without-lock", "thread: stopped at once"},
    {"reclaim-stays-at-work", "thread: woken again and again"},
    {"reclaim-answers-late", "thread: woken when it is about to sleep"},
    {"reclaim-forgets-late", "thread: woken by two"},
    {"threads-joined-unlocked", "threads: begun beside an end"},
    {"release-cursor-at-the-end", "region: two that cannot do without"},
    {"readahead-stops-without-wake", "readahead: gone at once"},
    {"readahead-asks-without-wake", "readahead: two blocks"},
    {"newcomer-wakes-nobody", "background: room is made"},
    // Lookup, insertion, death.
    {"find-without-identity-check", "a descriptor that is another block by now"},
    {"insert-without-look", "create+create (not cached)"},
    {"loser-leaks", "create+create (not cached)"},
    {"batch-keeps-what-was-in-the-way", "a batch that meets a newcomer on the move"},
    {"batch-unlists-newcomers", "a batch while all are dropped"},
    {"loser-puts-the-winner", "create+create (not cached)"},
    {"remove-without-compare", "23 create while the last one dies"},
    {"miss-without-second-look", "lookup while empty leaves go"},
    {"folios-before-index", "find+put-stale"},
    {"descriptor-before-folios", "create+put-stale"},
    // What ports ask for.
    {"forgotten-after-folios", "nocache: beside a lookup"},
    {"nocache-beside-holders", "nocache: beside a lookup"},
    {"reread-over-newer-bytes", "reread: beside a flush"},
    {"zeroed-late", "zeroed: beside a lookup"},
};
}  // namespace

absl::Span<const Canary> Canaries() { return kCanaries; }

}  // namespace ebcache::model
