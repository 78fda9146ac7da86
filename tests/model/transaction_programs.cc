// What a transaction does to a cache, as programs: one writer that copies a block to another address,
// changes the copy, puts the old block stale, and writes the copy; beside readers of the last commit,
// reclaim, and compaction. And a writer that gives up.
//
// Block 0 is the committed one, block 1 the copy's address: no reader comes by it before a commit.

#include <utility>

#include "tests/model/scenario_builder.h"

namespace ebcache::model {

namespace {

constexpr uint64_t kChanged = 2;

// A new block at an address that the cache may still have another one of, with bytes of its own.
ExtentBufferRef Make(CacheScene& s, uint64_t start) {
  ExtentBufferRef block = s.Create(start);
  s.Expect(static_cast<bool>(block), "there is memory, and no buffer");
  s.Reinit(block);
  s.WriteVersion(block, kChanged);
  return block;
}

// The old block is in the writer's hands until there is a copy.
ExtentBufferRef Copy(CacheScene& s) {
  ExtentBufferRef old = s.ReadBlock(0);
  s.Expect(static_cast<bool>(old), "the device does not fail, and the read did");
  ExtentBufferRef copy = Make(s, s.node());
  s.PutStale(old);
  return copy;
}

void Commit(CacheScene& s) {
  ExtentBufferRef copy = Copy(s);
  s.Expect(s.Writeback(copy), "the device does not fail, and the write did");
  s.Put(copy);
}

// What is committed is what a reader finds from then on, in memory or not.
void CommitAndLook(CacheScene& s) {
  Commit(s);
  ExtentBufferRef found = s.ReadBlock(s.node());
  s.Expect(found && s.VersionOf(found) == kChanged, "a committed block has other bytes");
  s.Put(found);
}

// An abort: what was changed is of no use.
void GiveUp(CacheScene& s) {
  ExtentBufferRef copy = Copy(s);
  s.Clean(copy);
  s.PutStale(copy);
}

// Made and freed in one transaction, and the address given out again.
void Recycle(CacheScene& s) {
  ExtentBufferRef first = Copy(s);
  s.Clean(first);
  s.PutStale(first);
  ExtentBufferRef again = Make(s, s.node());
  s.Expect(s.Writeback(again), "the device does not fail, and the write did");
  s.Put(again);
}

// A reader that was there before the copy, and looks when it is there.
void LookAndPut(CacheScene& s) {
  s.CheckBytes(s.held[0]);
  s.Put(s.held[0]);
}

void Move(CacheScene& s) { s.Move(); }

}  // namespace

void AddTransactionPrograms(std::vector<Program>& programs) {
  ScenarioBuilder add(programs);
  add.Add("commit beside a reader", {}, Cached, {CommitAndLook, ReadAndPut});
  add.Add("commit beside two readers", {}, Cached, {Commit, FindAndPut, ReadAndPut});
  add.Add("commit beside a reader that has the old block", {}, HeldOnce,
          {CommitAndLook, LookAndPut, FindAndPut});
  add.Add("commit beside reclaim", {}, Cached, {CommitAndLook, Drop});
  add.Add("commit beside a reader and reclaim", {}, Cached, {Commit, ReadAndPut, Shrink});
  add.Add("commit over the budget", {.budget_bytes = 4096}, Cached, {CommitAndLook, ReadAndPut});
  add.Add("commit beside compaction", {}, Cached, {CommitAndLook, Move});
  add.Add("commit beside a reader and compaction", {}, HeldOnce, {Commit, LookAndPut, Move});
  add.Add("abort beside a reader", {}, Cached, {GiveUp, ReadAndPut});
  add.Add("abort beside a reader and reclaim", {}, HeldOnce, {GiveUp, LookAndPut, Drop});
  add.Add("an address given out again beside reclaim", {}, Cached, {Recycle, Drop});
  add.Add("an address given out again beside a reader and reclaim", {}, Cached,
          {Recycle, ReadAndPut, Shrink});
}

}  // namespace ebcache::model
