// Writes as programs: writers that fail and try again, flushes beside each other and beside
// writers, against readers, dirtiers, reclaim, stale puts, moves, and callers that give up. The
// scene holds each against the bytes on its device (CacheScene::Unwritten).

#include <string>
#include <utility>

#include "tests/model/scenario_builder.h"

namespace ebcache::model {

namespace {

// Cached, held for three threads, with a version that is not on disk. So many writes fail.
Step Written(int failures, int holders = 3) {
  return [failures, holders](CacheScene& s) {
    Cached(s);
    for (int i = 0; i < holders; ++i) s.held[static_cast<size_t>(i)] = s.Find(0);
    ExtentBufferRef ref = s.Find(0);
    s.WriteVersion(ref, 2);
    s.Put(ref);
    s.failing_writes = failures;
  };
}
// The same, with a write of it that has failed already.
Step Failed(int more_failures, int holders = 3) {
  return [more_failures, holders](CacheScene& s) {
    Written(1, holders)(s);
    (void)s.WritebackAll();
    s.failing_writes = more_failures;
  };
}
Step GivesUp(const Step& setup) {
  return [setup](CacheScene& s) {
    s.gives_up = true;
    setup(s);
  };
}
// Two blocks that are not on disk.
Step TwoWritten(int failures) {
  return [failures](CacheScene& s) {
    Written(0)(s);
    s.held[4] = s.ReadBlock(s.node());
    s.WriteVersion(s.held[4], 2);
    s.held[5] = s.Find(s.node());
    s.failing_writes = failures;
  };
}

void Flush(CacheScene& s) { (void)s.WritebackAll(); }
Step WriteAndPut(size_t which) {
  return [which](CacheScene& s) {
    (void)s.Writeback(s.held[which]);
    s.Put(s.held[which]);
  };
}
Step WriteTwice(size_t which) {
  return [which](CacheScene& s) {
    // One write fails, and nobody else is there to use the failure up.
    if (!s.Writeback(s.held[which])) (void)s.Writeback(s.held[which]);
  };
}
Step Change(size_t which, uint64_t version = 3) {
  return [which, version](CacheScene& s) {
    s.WriteVersion(s.held[which], version);
    s.Put(s.held[which]);
  };
}
Step GiveUp(size_t which) {
  return [which](CacheScene& s) {
    (void)s.GiveUp(s.held[which]);
    s.Put(s.held[which]);
  };
}
Step Clean(size_t which) {
  return [which](CacheScene& s) {
    s.Clean(s.held[which]);
    s.Put(s.held[which]);
  };
}
void ReadNewest(CacheScene& s) {
  ExtentBufferRef ref = s.ReadNewest(0);
  s.Expect(static_cast<bool>(ref), "the device does not fail to read, and the read did");
  s.Put(ref);
}
// One write fails: once for each flush that may meet it.
void AddFailures(ScenarioBuilder& add) {
  for (const int failures : {1, 2}) {
    const std::string times = failures == 1 ? "once" : "twice";
    add.Add("write: fails " + times + ", read and reclaimed", {}, Written(failures, 1),
            {WriteAndPut(0), ReadNewest, Drop});
    add.Add("write: fails " + times + ", written by two", {}, Written(failures, 2),
            {WriteAndPut(0), WriteAndPut(1), ReadNewest});
    add.Add("write: fails " + times + ", two flushes", {}, Written(failures, 0), {Flush, Flush});
    add.Add("write: fails " + times + ", two flushes and a reader", {}, Written(failures, 1),
            {Flush, Flush, ReadNewest});
    add.Add("write: fails " + times + ", flush and writer", {}, Written(failures, 1),
            {WriteAndPut(0), Flush});
    add.Add("write: fails " + times + ", flush, writer and dirtier", {}, Written(failures, 2),
            {WriteAndPut(0), Flush, Change(1)});
    add.Add("write: fails " + times + ", flush and stale put", {}, Written(failures, 1),
            {Flush, PutStale(0), ReadNewest});
    add.Add("write: fails " + times + ", beside a move", {}, Written(failures, 1),
            {WriteAndPut(0), [](CacheScene& s) { s.Move(); }, [](CacheScene& s) { s.Release(); }});
    add.Add("write: fails " + times + ", dirtied and reclaimed", {}, Written(failures, 2),
            {WriteAndPut(0), Change(1), Shrink});
  }
  add.Add("write: fails while it is put stale by two", {}, Written(1, 2),
          {PutStale(0), PutStale(1), Flush});
  add.Add("write: fails over a budget of one", {.budget_bytes = 4096}, Written(1, 1),
          {WriteAndPut(0),
           [](CacheScene& s) {
             ExtentBufferRef ref = s.ReadBlock(s.node());
             s.Put(ref);
           },
           ReadNewest});
}

void AddRetries(ScenarioBuilder& add) {
  add.Add("retry: beside a reader", {}, Failed(0, 1), {WriteAndPut(0), ReadNewest});
  add.Add("retry: beside a reader and reclaim", {}, Failed(0, 1),
          {WriteAndPut(0), ReadNewest, Drop});
  add.Add("retry: beside a dirtier", {}, Failed(0, 2), {WriteAndPut(0), Change(1)});
  add.Add("retry: beside a dirtier and a flush", {}, Failed(0, 2),
          {WriteAndPut(0), Change(1), Flush});
  add.Add("retry: fails beside a dirtier and a flush", {}, Failed(1, 2),
          {WriteAndPut(0), Change(1), Flush});
  add.Add("retry: by flush, beside a reader", {}, Failed(0, 0), {Flush, ReadNewest});
  add.Add("retry: by two flushes", {}, Failed(1, 0), {Flush, Flush});
  add.Add("retry: at once, beside a flush", {}, Written(1, 1), {WriteTwice(0), Flush, ReadNewest});
  add.Add("retry: at once, beside reclaim", {}, Written(1, 1), {WriteTwice(0), Drop, ReadNewest});
  add.Add("retry: of a stale block", {}, Failed(0, 1), {PutStale(0), Flush, ReadNewest});
  add.Add("retry: fails of a stale block", {}, Failed(1, 1), {PutStale(0), Flush, ReadNewest});
}

void AddFlushes(ScenarioBuilder& add) {
  add.Add("flush: beside a writer", {}, Written(0, 1), {WriteAndPut(0), Flush});
  add.Add("flush: beside a flush", {}, Written(0, 0), {Flush, Flush});
  add.Add("flush: three", {}, Written(0, 0), {Flush, Flush, Flush});
  add.Add("flush: beside a writer and a dirtier", {}, Written(0, 2),
          {WriteAndPut(0), Change(1), Flush});
  add.Add("flush: two and a dirtier", {}, Written(0, 1), {Flush, Flush, Change(0)});
  add.Add("flush: two and two dirtiers in turn", {}, Written(0, 2),
          {[](CacheScene& s) {
             Change(0, 3)(s);
             Change(1, 4)(s);
           },
           Flush, Flush});
  for (const int failures : {0, 1}) {
    const std::string fails = failures == 0 ? "" : ", one fails";
    add.Add("flush: another takes the second block" + fails, {}, TwoWritten(failures),
            {Flush, [](CacheScene& s) { (void)s.Writeback(s.held[5]); }});
    add.Add("flush: two of two blocks" + fails, {}, TwoWritten(failures), {Flush, Flush});
    add.Add("flush: another takes the second block, and drops" + fails, {}, TwoWritten(failures),
            {Flush,
             [](CacheScene& s) {
               (void)s.Writeback(s.held[5]);
               s.Put(s.held[4]);
               s.Put(s.held[5]);
             },
             Drop});
  }
}

void AddGivingUp(ScenarioBuilder& add) {
  for (const int failures : {0, 1}) {
    const std::string fails = failures == 0 ? "" : ", a write fails";
    add.Add("give up: beside a flush" + fails, {}, GivesUp(Written(failures, 1)),
            {GiveUp(0), Flush});
    add.Add("give up: beside a writer and a reader" + fails, {}, GivesUp(Written(failures, 2)),
            {GiveUp(0), WriteAndPut(1), ReadNewest});
    add.Add("give up: beside a flush and a dirtier" + fails, {}, GivesUp(Written(failures, 2)),
            {GiveUp(0), Flush, Change(1)});
    add.Add("give up: twice" + fails, {}, GivesUp(Written(failures, 2)),
            {GiveUp(0), GiveUp(1), Flush});
    add.Add("give up: beside reclaim and a reader" + fails, {}, GivesUp(Failed(failures, 1)),
            {GiveUp(0), Drop, ReadNewest});
    add.Add("give up: a stale block" + fails, {}, GivesUp(Failed(failures, 2)),
            {GiveUp(0), PutStale(1), Flush});
    add.Add("clean: beside a flush and a dirtier" + fails, {}, Written(failures, 2),
            {Clean(0), Flush, Change(1)});
    add.Add("clean: beside a writer and reclaim" + fails, {}, Written(failures, 2),
            {Clean(0), WriteAndPut(1), Drop});
    add.Add("reinit: beside a flush" + fails, {}, GivesUp(Written(failures, 2)),
            {[](CacheScene& s) {
               s.Reinit(s.held[0]);
               s.Put(s.held[0]);
             },
             Flush, Change(1)});
  }
  // A failure after the one that was given up has its own error, and that one is not forgotten.
  add.Add("clean: beside the next failure", {}, Failed(1, 2),
          {Clean(0), [](CacheScene& s) {
             // Without the tree lock: the bytes stay what they are.
             s.held[1].SetDirty();
             (void)s.Writeback(s.held[1]);
             s.Expect(!absl::IsUnavailable(s.cache().WriteError(s.held[1])),
                      "a write has failed, and its error was forgotten");
             s.Put(s.held[1]);
           }});
}

// What one reader expects is no answer for another.
void AddExpectations(ScenarioBuilder& add) {
  const auto expecting = [](uint64_t version) -> Step {
    return [version](CacheScene& s) {
      s.Expect(s.ReadExpecting(0, version) == (version == 1),
               "a reader got the answer to what another expects");
    };
  };
  add.Add("expect: one is wrong", {}, Nothing, {expecting(2), expecting(1)});
  add.Add("expect: one is wrong, two are right", {}, Nothing,
          {expecting(2), expecting(1), expecting(1)});
  add.Add("expect: two are wrong", {}, Nothing, {expecting(2), expecting(3), expecting(1)});
  add.Add("expect: one is wrong, one expects nothing", {}, Nothing,
          {expecting(2), ReadAndPut, Drop});
}

// The limit is told of whichever thread reaches it, beside writes that take the cache below it; and
// once no write is under way, by the next that reaches it.
void AddDirtyLimits(ScenarioBuilder& add) {
  const CacheSceneOptions limited{.dirty_limit_bytes = CacheSceneOptions().node_bytes};
  const auto told_once_more = [](CacheScene& s) {
    AwaitQuiet();
    s.Expect(s.limits_told > 0, "the limit was reached, and told of to none");
    (void)s.WritebackAll();
    const int before = s.limits_told;
    ExtentBufferRef ref = s.ReadBlock(0);
    s.WriteVersion(ref, 5);
    s.Put(ref);
    s.Expect(s.limits_told == before + 1, "reached once more, and not told of once");
  };
  const auto dirties = [](size_t which) -> Step {
    return [which](CacheScene& s) {
      ExtentBufferRef ref = s.ReadBlock(which * s.node());
      s.WriteVersion(ref, 3);
      s.Put(ref);
    };
  };
  // Two that are told of it late, when what they made dirty has been written.
  const auto two_held = [](CacheScene& s) {
    for (uint64_t block = 0; block < 2; ++block) {
      s.held[block] = s.ReadBlock(block * s.node());
      s.held[block + 2] = s.Find(block * s.node());
    }
  };
  const auto writes_both = [=](CacheScene& s) {
    (void)s.Writeback(s.held[2]);
    (void)s.Writeback(s.held[3]);
    told_once_more(s);
    s.Put(s.held[2]);
    s.Put(s.held[3]);
  };
  add.Add("dirty limit: two that are late", limited, two_held, {Change(0), Change(1), writes_both});
  add.Add("dirty limit: two that reach it", limited, Nothing,
          {dirties(0), [=](CacheScene& s) { dirties(1)(s), told_once_more(s); }});
  add.Add("dirty limit: beside a flush", limited, Nothing,
          {Flush, [=](CacheScene& s) { dirties(0)(s), told_once_more(s); }});
  add.Add("dirty limit: two that reach it, beside a flush", limited, Nothing,
          {Flush, dirties(1), [=](CacheScene& s) { dirties(0)(s), told_once_more(s); }});
}

}  // namespace

void AddWritePrograms(std::vector<Program>& programs) {
  ScenarioBuilder add(programs);
  AddFailures(add);
  AddRetries(add);
  AddFlushes(add);
  AddGivingUp(add);
  AddExpectations(add);
  AddDirtyLimits(add);
}

}  // namespace ebcache::model
