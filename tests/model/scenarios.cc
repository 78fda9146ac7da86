// The races that the kernel met, and some of their neighbours, as programs. The numbers are those
// of docs/races.md, which says why the missing ones cannot exist here.

#include "tests/model/scenario_builder.h"

namespace ebcache::model {

namespace {

void AddReferenceRaces(ScenarioBuilder& add) {
  add.Add("01 release, found and dirtied", {}, Cached,
          {[](CacheScene& s) { s.Release(); }, FindAndDirty, FindAndPut});
  add.Add("01 reclaim, found and dirtied", {}, Cached, {Shrink, FindAndDirty, Drop});
  add.Add("02 stale put, found and reused", {}, HeldOnce, {PutStale(0), FindAndReuse});
  add.Add("02 two stale puts, found and reused", {}, HeldTwice,
          {PutStale(0), PutStale(1), FindAndReuse});
  add.Add("03 reclaim, found and read", {},
          [](CacheScene& s) {
            ExtentBufferRef ref = s.Create(0);
            s.NoteFolio(ref);
            s.Put(ref);
          },
          {Shrink, ReadAndPut, [](CacheScene& s) { s.Release(); }});
  add.Add("04 reused block is clean", {},
          [](CacheScene& s) {
            HeldOnce(s);
            s.Dirty(s.held[0]);
          },
          {PutStale(0),
           [](CacheScene& s) {
             ExtentBufferRef ref = s.Create(0);
             s.Reinit(ref);
             s.Expect(!ref->dirty(), "a block that was made anew is DIRTY");
             s.Put(ref);
           },
           [](CacheScene& s) { (void)s.WritebackAll(); }});
  add.Add("09 two create, one drops", {}, Nothing, {CreateAndPut, CreateAndPut, Drop});
  add.Add("13 two stale puts and a lookup", {}, HeldTwice, {PutStale(0), PutStale(1), FindAndPut});
  add.Add("14 no memory for a buffer", {},
          [](CacheScene& s) {
            Cached(s);
            s.allocator().fail_allocation = 1;
          },
          {[](CacheScene& s) {
             ExtentBufferRef ref = s.Create(s.node());
             s.Put(ref);
           },
           TryToRead, Drop});
  add.Add("15 drop after create and find", {}, Nothing, {CreateAndPut, FindAndPut, Drop});
  add.Add("23 create while the last one dies", {}, HeldOnce,
          {PutStale(0), CreateAndPut, FindAndPut});
  add.Add("23 create while it moves", {}, Cached,
          {[](CacheScene& s) { s.Move(); }, CreateAndPut, Drop});
}

void AddReadRaces(ScenarioBuilder& add) {
  add.Add("10 three read a cold block", {}, Nothing, {ReadAndPut, ReadAndPut, ReadAndPut});
  add.Add("10 two read, one drops", {}, Nothing, {ReadAndPut, ReadAndPut, Drop});
  const auto failing = [](int times) {
    return [times](CacheScene& s) {
      s.failing_reads = times;
      s.reads_everything = true;
    };
  };
  add.Add("20 a read fails, another waits", {}, failing(1), {TryToRead, TryToRead});
  add.Add("20 reads fail, and a lookup", {}, failing(2), {TryToRead, TryToRead, FindAndPut});
  add.Add("20 who waits gets the error", {},
          [](CacheScene& s) {
            s.held[0] = s.Create(0);
            s.held[1] = s.Find(0);
            s.failing_reads = 9;
            s.reads_everything = true;
          },
          {[](CacheScene& s) {
             s.Expect(s.cache().Read(s.held[0]).code() == absl::StatusCode::kDataLoss,
                      "a failed read gave another error than the device");
           },
           [](CacheScene& s) {
             const auto code = s.cache().Read(s.held[1]).code();
             s.Expect(code == absl::StatusCode::kDataLoss,
                      "who waited for a failed read got another error than the device's");
           }});
  add.Add("batches that want each other's blocks", {}, Nothing,
          {[](CacheScene& s) {
             const uint64_t starts[] = {0, s.node()};
             absl::StatusOr<ExtentBufferRef> results[2];
             s.cache().ReadBlocks(starts, {}, results);
             s.Expect(results[0].ok() && results[1].ok(), "a batch failed");
           },
           [](CacheScene& s) {
             const uint64_t starts[] = {s.node(), 0};
             absl::StatusOr<ExtentBufferRef> results[2];
             s.cache().ReadBlocks(starts, {}, results);
             s.Expect(results[0].ok() && results[1].ok(), "a batch failed");
           }});
}

void HeldAndChanged(CacheScene& s) {
  HeldOnce(s);
  s.WriteVersion(s.held[0], 7);
}

void AddWriteRaces(ScenarioBuilder& add) {
  add.Add("05 failed write is not read back", {},
          [](CacheScene& s) {
            HeldAndChanged(s);
            s.failing_writes = 1;
          },
          {[](CacheScene& s) {
             (void)s.Writeback(s.held[0]);
             s.Put(s.held[0]);
           },
           [](CacheScene& s) {
             ExtentBufferRef ref = s.Create(0);
             if (s.Read(ref)) s.Expect(s.VersionOf(ref) == 7, "old contents were believed");
             s.Put(ref);
           }});
  add.Add("17 writeback, reclaim and create", {}, HeldAndChanged,
          {[](CacheScene& s) {
             (void)s.Writeback(s.held[0]);
             s.Put(s.held[0]);
           },
           Shrink,
           [](CacheScene& s) {
             ExtentBufferRef ref = s.Create(s.node());
             s.Put(ref);
           }});
  add.Add("19 write all while it is dirtied", {}, HeldAndChanged,
          {[](CacheScene& s) { (void)s.WritebackAll(); },
           [](CacheScene& s) {
             s.Dirty(s.held[0]);
             s.Put(s.held[0]);
           }});
  add.Add("two write, one dirties again", {},
          [](CacheScene& s) {
            HeldAndChanged(s);
            s.held[1] = s.Find(0);
            s.held[2] = s.Find(0);
          },
          {[](CacheScene& s) { (void)s.Writeback(s.held[0]); },
           [](CacheScene& s) { (void)s.Writeback(s.held[1]); },
           [](CacheScene& s) { s.Dirty(s.held[2]); }});
  add.Add("stale put while it is written", {}, HeldAndChanged,
          {[](CacheScene& s) { (void)s.WritebackAll(); }, PutStale(0), FindAndPut});
  // What was dirty before a writer comes and goes is seen by who asks after it.
  add.Add("dirty blocks are never missed", {},
          [](CacheScene& s) {
            s.held[0] = s.ReadBlock(0);
            s.held[1] = s.ReadBlock(s.node());
            s.held[2] = s.Find(s.node());
            s.Dirty(s.held[0]);
          },
          {[](CacheScene& s) { s.Dirty(s.held[1]); },
           [](CacheScene& s) {
             (void)s.Writeback(s.held[2]);
             ExtentBufferRef dirty = s.NextDirty(0);
             s.Expect(static_cast<bool>(dirty), "a DIRTY block was missed");
             s.Put(dirty);
           }});
}

// Blocks that are smaller than pages.
void AddSharedPageRaces(ScenarioBuilder& add) {
  const CacheSceneOptions shared{.page_bytes = 16384};
  const auto three_blocks = [](CacheScene& s) {
    s.held[0] = s.ReadBlock(0);
    s.NoteFolio(s.held[0]);
    for (uint64_t i = 1; i < 3; ++i) {
      ExtentBufferRef ref = s.ReadBlock(i * s.node());
      s.Put(ref);
    }
  };
  add.Add("08 three create in one page", shared, Nothing,
          {CreateAndPut, CreateAndPut, [](CacheScene& s) {
             ExtentBufferRef ref = s.Create(s.node());
             s.Put(ref);
           }});
  add.Add("16 release of a shared page", shared, three_blocks,
          {PutStale(0), [](CacheScene& s) { s.Release(); },
           [](CacheScene& s) {
             ExtentBufferRef ref = s.ReadBlock(3 * uint64_t{s.node()});
             s.Put(ref);
           }});
  add.Add("16 move of a shared page", shared, three_blocks,
          {PutStale(0), [](CacheScene& s) { s.Move(); }, Drop});
  add.Add("16 two movers of a shared page", shared,
          [three_blocks](CacheScene& s) {
            three_blocks(s);
            s.Put(s.held[0]);
          },
          {[](CacheScene& s) { s.Move(); }, [](CacheScene& s) { s.Release(); }, ReadAndPut});
}

void AddFolioRaces(ScenarioBuilder& add) {
  const CacheSceneOptions two_pages{.node_bytes = 8192, .direct = false};
  const auto two_folios = [](CacheScene& s) {
    ExtentBufferRef ref = s.ReadBlock(0);
    s.NoteFolio(ref, 0, 0);
    s.NoteFolio(ref, 1, 1);
    s.Put(ref);
  };
  add.Add("12 both folios are wanted", two_pages, two_folios,
          {[](CacheScene& s) { s.Release(0); }, [](CacheScene& s) { s.Release(1); }, FindAndPut});
  add.Add("12 one folio moves, one is wanted", two_pages, two_folios,
          {[](CacheScene& s) { s.Move(0); }, [](CacheScene& s) { s.Release(1); }, FindAndPut});
  CacheSceneOptions drops = two_pages;
  drops.migrate_mode = BufferCacheOptions::MigrateMode::kDropBuffer;
  add.Add("12 moving by dropping", drops, two_folios,
          {[](CacheScene& s) { s.Move(0); }, [](CacheScene& s) { s.Move(1); }, ReadAndPut});
  add.Add(
      "25 a clone's folio is asked for", {},
      [](CacheScene& s) {
        HeldOnce(s);
        s.held[1] = s.Clone(s.held[0]);
        s.NoteFolio(s.held[1], 1);
      },
      {[](CacheScene& s) {
         const Folio folio = s.folio(1);
         s.Expect(!s.cache().ReleaseFolio(folio, s.allocator().private_bits(folio)),
                  "a clone was released");
       },
       [](CacheScene& s) { s.Put(s.held[0]); }, [](CacheScene& s) { s.CheckBytes(s.held[1]); }});
  add.Add("a folio that has another block by now", {}, HeldOnce,
          {PutStale(0),
           [](CacheScene& s) {
             ExtentBufferRef ref = s.ReadBlock(s.node());
             s.Put(ref);
           },
           [](CacheScene& s) { s.Move(); }});
}

}  // namespace

void AddScenarios(std::vector<Program>& programs) {
  ScenarioBuilder add(programs);
  AddReferenceRaces(add);
  AddReadRaces(add);
  AddWriteRaces(add);
  AddSharedPageRaces(add);
  AddFolioRaces(add);
}

}  // namespace ebcache::model
