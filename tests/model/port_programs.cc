// What ports of other caches ask for: puts that keep nothing, bytes that are found to be bad and read
// again, and new buffers that say so. Of each buffer that goes in these, and in all other programs on a
// CacheScene, its users are told once.

#include <utility>

#include "tests/model/scenario_builder.h"

namespace ebcache::model {

namespace {

Step PutNoCache(size_t which) {
  return [which](CacheScene& s) { s.PutNoCache(s.held[which]); };
}

Step PutBehind(size_t which) {
  return [which](CacheScene& s) { s.PutBehind(s.held[which]); };
}

void FindAndPutNoCache(CacheScene& s) {
  ExtentBufferRef ref = s.Find(0);
  if (!ref) return;
  s.CheckBytes(ref);
  s.PutNoCache(ref);
}

// Threads that take UPTODATE away hold the tree lock, and so does one that looks at bytes.
void HeldByThreadsThatReread(CacheScene& s) {
  HeldTwice(s);
  s.gives_up = true;
}

void RereadAndPut(CacheScene& s) {
  const bool read = s.Reread(s.held[0]);
  s.Expect(read || s.held[0]->dirty(), "the device does not fail, and the read did");
  s.CheckBytes(s.held[0]);
  s.Put(s.held[0]);
}

// Whether or not the device fails.
Step TryToReread(size_t which) {
  return [which](CacheScene& s) {
    (void)s.Reread(s.held[which]);
    s.CheckBytes(s.held[which]);
    s.Put(s.held[which]);
  };
}

void ClearAndPut(CacheScene& s) {
  s.ClearUptodate(s.held[0]);
  s.Put(s.held[0]);
}

// So that what a new buffer lies in has been another block's.
void Used(CacheScene& s) {
  Cached(s);
  s.cache().DropCaches();
}

void FindZeroes(CacheScene& s) {
  ExtentBufferRef ref = s.Find(0);
  if (!ref) return;
  s.Expect(ref->uptodate(), "a zeroed buffer was there before it was UPTODATE");
  s.Expect(s.Read(ref), "a zeroed buffer was read");
  s.Expect(s.VersionOf(ref) == 0, "a zeroed buffer was there before its zeroes");
  s.Put(ref);
}

void MakeZeroed(CacheScene& s) {
  auto [ref, is_new] = s.CreateZeroed(0);
  s.Expect(static_cast<bool>(ref), "there is memory, and no buffer");
  s.Expect(s.VersionOf(ref) == 0, "a zeroed buffer has other bytes");
  s.Put(ref);
}

// Of two that make it, one is told. The other's reference keeps the first one's buffer from going.
Step MakeAndHold(size_t which, size_t other) {
  return [which, other](CacheScene& s) {
    auto [ref, is_new] = s.CreateZeroed(0);
    s.held[which] = std::move(ref);
    s.news[which] = is_new;
    const bool both = static_cast<bool>(s.held[which]) && static_cast<bool>(s.held[other]);
    if (!both) return;
    s.Expect(s.news[which] != s.news[other], "two were told that they had made it, or none");
  };
}

void Move(CacheScene& s) { s.Move(); }

}  // namespace

void AddPortPrograms(std::vector<Program>& programs) {
  ScenarioBuilder add(programs);
  add.Add("nocache: beside a lookup", {}, HeldOnce, {PutNoCache(0), FindAndPut});
  add.Add("nocache: beside a reader", {}, HeldOnce, {PutNoCache(0), ReadAndPut});
  add.Add("nocache: two at once", {}, HeldTwice, {PutNoCache(0), PutNoCache(1)});
  add.Add("nocache: two that find it", {}, Cached, {FindAndPutNoCache, FindAndPutNoCache});
  add.Add("nocache: beside a stale put", {}, HeldTwice, {PutNoCache(0), PutStale(1)});
  add.Add("nocache: beside a dirtier", {}, HeldOnce, {PutNoCache(0), FindAndDirty});
  add.Add("nocache: beside reclaim and a lookup", {}, HeldOnce, {PutNoCache(0), Drop, FindAndPut});
  add.Add("nocache: beside a move", {}, HeldOnce, {PutNoCache(0), Move});
  add.Add("nocache: beside a move that drops",
          {.migrate_mode = BufferCacheOptions::MigrateMode::kDropBuffer}, HeldOnce,
          {PutNoCache(0), Move});
  add.Add("behind: beside a lookup", {}, HeldOnce, {PutBehind(0), FindAndPut});
  add.Add("behind: two at once", {}, HeldTwice, {PutBehind(0), PutBehind(1)});
  add.Add("behind: beside a dirtier", {}, HeldOnce, {PutBehind(0), FindAndDirty});
  add.Add("behind: beside reclaim and a lookup", {}, HeldOnce, {PutBehind(0), Drop, FindAndPut});
  add.Add("behind: beside a move", {}, HeldOnce, {PutBehind(0), Move});
  add.Add("reread: beside a reader", {}, HeldByThreadsThatReread, {RereadAndPut, ReadAndPut});
  add.Add("reread: two at once", {}, HeldByThreadsThatReread, {TryToReread(0), TryToReread(1)});
  add.Add("reread: fails, beside a reader", {},
          [](CacheScene& s) {
            HeldByThreadsThatReread(s);
            s.failing_reads = 1;
          },
          {TryToReread(0), TryToRead});
  add.Add("reread: beside a dirtier", {}, HeldByThreadsThatReread, {TryToReread(0), FindAndDirty});
  add.Add("reread: beside a flush", {},
          [](CacheScene& s) {
            HeldByThreadsThatReread(s);
            s.WriteVersion(s.held[1], 2);
          },
          {TryToReread(0), [](CacheScene& s) { (void)s.WritebackAll(); }});
  add.Add("reread: beside a stale put and reclaim", {}, HeldByThreadsThatReread,
          {TryToReread(0), PutStale(1), Drop});
  add.Add("cleared: beside a reader", {}, HeldByThreadsThatReread, {ClearAndPut, ReadAndPut});
  add.Add("cleared: beside a dirtier and a flush", {}, HeldByThreadsThatReread,
          {ClearAndPut, FindAndDirty, [](CacheScene& s) { (void)s.WritebackAll(); }});
  add.Add("zeroed: beside a lookup", {}, Used, {MakeZeroed, FindZeroes});
  add.Add("zeroed: two at once", {}, Used, {MakeZeroed, MakeZeroed});
  add.Add("new: one of two", {}, Used, {MakeAndHold(0, 1), MakeAndHold(1, 0)});
}

}  // namespace ebcache::model
