// The races that the kernel met, and some of our own, as programs. The numbers are those of
// docs/races.md, which says why the missing ones cannot exist here.

#include <utility>

#include "tests/model/cache_scene.h"
#include "tests/model/programs.h"

namespace ebcache::model {

namespace {

using Step = std::function<void(CacheScene&)>;

class Builder {
 public:
  explicit Builder(std::vector<Program>& programs) : programs_(programs) {}

  void Add(std::string name, CacheSceneOptions options, const Step& setup,
           std::vector<Step> threads) {
    Program program{.name = std::move(name)};
    program.make = [options, setup]() -> std::unique_ptr<Scene> {
      auto scene = std::make_unique<CacheScene>(options);
      setup(*scene);
      return scene;
    };
    for (Step& thread : threads) {
      program.threads.push_back(
          [thread = std::move(thread)](Scene& scene) { thread(static_cast<CacheScene&>(scene)); });
    }
    program.quick = true;
    programs_.push_back(std::move(program));
  }

 private:
  std::vector<Program>& programs_;
};

// ---- Setups -------------------------------------------------------------------------------------

void Nothing(CacheScene&) {}

void Cached(CacheScene& s) {
  ExtentBufferRef ref = s.ReadBlock(0);
  s.NoteFolio(ref);
  s.Put(ref);
}

// Cached, with a reference for each of the first two threads.
void HeldTwice(CacheScene& s) {
  Cached(s);
  s.held[0] = s.Find(0);
  s.held[1] = s.Find(0);
}

void HeldOnce(CacheScene& s) {
  Cached(s);
  s.held[0] = s.Find(0);
}

// ---- Steps --------------------------------------------------------------------------------------

void ReadAndPut(CacheScene& s) {
  ExtentBufferRef ref = s.ReadBlock(0);
  s.Expect(static_cast<bool>(ref), "the device does not fail, and the read did");
  s.Put(ref);
}

// Whether or not the device fails.
void TryToRead(CacheScene& s) {
  ExtentBufferRef ref = s.ReadBlock(0);
  s.Put(ref);
}

void FindAndPut(CacheScene& s) {
  ExtentBufferRef ref = s.Find(0);
  if (ref) s.CheckBytes(ref);
  s.Put(ref);
}

void FindAndDirty(CacheScene& s) {
  ExtentBufferRef ref = s.Find(0);
  if (ref) s.Dirty(ref);
  s.Put(ref);
}

void FindAndReuse(CacheScene& s) {
  ExtentBufferRef ref = s.Find(0);
  if (!ref) return;
  s.Reinit(ref);
  s.Dirty(ref);
  s.Put(ref);
}

void CreateAndPut(CacheScene& s) {
  ExtentBufferRef ref = s.Create(0);
  s.Expect(static_cast<bool>(ref), "there is memory, and no buffer");
  s.Put(ref);
}

void Drop(CacheScene& s) { s.cache().DropCaches(); }
void Shrink(CacheScene& s) { s.cache().Shrink(s.node()); }

Step PutStale(size_t which) {
  return [which](CacheScene& s) { s.PutStale(s.held[which]); };
}

// ---- The kernel's -------------------------------------------------------------------------------

void AddReferenceRaces(Builder& add) {
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
  add.Add("15 drop after create and find", {}, Nothing, {CreateAndPut, FindAndPut, Drop});
  add.Add("23 create while the last one dies", {}, HeldOnce,
          {PutStale(0), CreateAndPut, FindAndPut});
  add.Add("23 create while it moves", {}, Cached,
          {[](CacheScene& s) { s.Move(); }, CreateAndPut, Drop});
}

void AddReadRaces(Builder& add) {
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

void AddWriteRaces(Builder& add) {
  const auto written = [](CacheScene& s) {
    HeldOnce(s);
    s.WriteVersion(s.held[0], 7);
  };
  add.Add("05 failed write is not read back", {},
          [written](CacheScene& s) {
            written(s);
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
  add.Add("17 writeback, reclaim and create", {}, written,
          {[](CacheScene& s) {
             (void)s.Writeback(s.held[0]);
             s.Put(s.held[0]);
           },
           Shrink,
           [](CacheScene& s) {
             ExtentBufferRef ref = s.Create(s.node());
             s.Put(ref);
           }});
  add.Add("19 write all while it is dirtied", {}, written,
          {[](CacheScene& s) { (void)s.WritebackAll(); },
           [](CacheScene& s) {
             s.Dirty(s.held[0]);
             s.Put(s.held[0]);
           }});
  add.Add("two write, one dirties again", {},
          [written](CacheScene& s) {
            written(s);
            s.held[1] = s.Find(0);
            s.held[2] = s.Find(0);
          },
          {[](CacheScene& s) { (void)s.Writeback(s.held[0]); },
           [](CacheScene& s) { (void)s.Writeback(s.held[1]); },
           [](CacheScene& s) { s.Dirty(s.held[2]); }});
  add.Add("stale put while it is written", {}, written,
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

void AddFolioRaces(Builder& add) {
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

// ---- Our own ------------------------------------------------------------------------------------

// Keys of as many leaves as are swept when all but the last are empty. A few at the front and the
// last want the same place in a table of 128, so that the last moves up when those are taken out.
// The hash is that of lib/cache/buffer_index.h; with another one this only finds less.
std::vector<uint64_t> CollidingLeaves() {
  const auto home = [](uint64_t key) { return (key * 0x9e3779b97f4a7c15u) >> 32 & 127; };
  std::vector<uint64_t> keys;
  for (uint64_t key = 1; keys.size() < 4; ++key) {
    if (home(key) == home(1)) keys.push_back(key);
  }
  const uint64_t last = keys.back();
  keys.pop_back();
  for (uint64_t key = 2; keys.size() < 34; ++key) {
    if (home(key) != home(1)) keys.push_back(key);
  }
  keys.push_back(last);
  return keys;
}

void AddOurOwn(Builder& add) {
  add.Add("a descriptor that is another block by now", {}, HeldOnce,
          {PutStale(0),
           [](CacheScene& s) {
             ExtentBufferRef ref = s.Create(s.node());
             s.Put(ref);
           },
           FindAndPut});
  add.Add("a descriptor that is a clone by now", {},
          [](CacheScene& s) {
            HeldOnce(s);
            s.held[1] = s.ReadBlock(s.node());
          },
          {PutStale(0),
           [](CacheScene& s) {
             ExtentBufferRef clone = s.Clone(s.held[1]);
             s.Put(clone);
           },
           FindAndPut});
  // Wanted while in use, idle again, and then everything is to go.
  add.Add("passed over by reclaim, then idle", {}, HeldTwice,
          {Drop, [](CacheScene& s) { s.Put(s.held[0]); }, [](CacheScene& s) { s.Put(s.held[1]); }});
  add.Add("the next block while it dies", {},
          [](CacheScene& s) {
            HeldOnce(s);
            ExtentBufferRef other = s.ReadBlock(s.node());
            s.held[1] = std::move(other);
          },
          {PutStale(0),
           [](CacheScene& s) {
             ExtentBufferRef ref = s.cache().FirstAtOrAfter(0);
             s.Expect(static_cast<bool>(ref), "a block that is there was not found");
           },
           CreateAndPut});
  add.Add("budget of one, two create", {.budget_bytes = 4096}, Nothing,
          {CreateAndPut, [](CacheScene& s) {
             ExtentBufferRef ref = s.Create(s.node());
             s.Put(ref);
           }});
  // Its owner is quiesced first: from then on compaction leaves it alone.
  add.Add("the cache goes beside a move", {}, Cached,
          {[](CacheScene& s) { s.Close(); }, [](CacheScene& s) { s.Move(); }});
  add.Add("the cache goes beside a release", {}, Cached,
          {[](CacheScene& s) { s.Close(); }, [](CacheScene& s) { s.Release(); }});
  add.Add("the cache goes beside two movers", {}, Cached,
          {[](CacheScene& s) { s.Close(); }, [](CacheScene& s) { s.Move(); },
           [](CacheScene& s) { s.Move(); }});
  // The last of many leaves becomes empty, and all of them are taken away, beside a lookup.
  add.Add("lookup while empty leaves go", {},
          [](CacheScene& s) {
            const std::vector<uint64_t> keys = CollidingLeaves();
            const uint64_t leaf = 64 * uint64_t{s.node()};
            ExtentBufferRef kept = s.ReadBlock(keys.back() * leaf);
            s.Put(kept);
            for (size_t i = 1; i + 1 < keys.size(); ++i) {
              ExtentBufferRef gone = s.Create(keys[i] * leaf);
              s.PutStale(gone);
            }
            s.held[0] = s.Create(keys[0] * leaf);
          },
          {PutStale(0), [](CacheScene& s) {
             ExtentBufferRef ref = s.Find(CollidingLeaves().back() * 64 * s.node());
             s.Expect(static_cast<bool>(ref), "a block that is there was not found");
             s.Put(ref);
           }});
}

}  // namespace

void AddScenarios(std::vector<Program>& programs) {
  Builder add(programs);
  AddReferenceRaces(add);
  AddReadRaces(add);
  AddWriteRaces(add);
  AddFolioRaces(add);
  AddOurOwn(add);
}

}  // namespace ebcache::model
