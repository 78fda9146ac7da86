// The races of our own as programs: of descriptors that are somebody else by now, of reclaim, of
// the index, and of caches that go.

#include <array>
#include <utility>

#include "lib/cache/buffer_index.h"
#include "tests/model/scenario_builder.h"

namespace ebcache::model {

namespace {

// The place of a leaf in a table of 128. The multiplier is always the same in this build.
uint64_t HomeOf(uint64_t key) { return (key * RandomMultiplier()) >> 57; }

// Keys of as many leaves as are swept when all but the last are empty. A few at the front and the
// last want the same place in a table of 128, so that the last moves up when those are taken out.
// The hash is that of lib/cache/buffer_index.h; with another one this only finds less.
std::vector<uint64_t> CollidingLeaves() {
  std::vector<uint64_t> keys;
  for (uint64_t key = 1; keys.size() < 4; ++key) {
    if (HomeOf(key) == HomeOf(1)) keys.push_back(key);
  }
  const uint64_t last = keys.back();
  keys.pop_back();
  // Behind those: a sweep goes by keys and takes no more than 32 at a time, and it takes more than one
  // move to hide a leaf from a look-up that looks twice.
  for (uint64_t key = keys.back() + 1; keys.size() < 34; ++key) {
    if (HomeOf(key) != HomeOf(1)) keys.push_back(key);
  }
  keys.push_back(last);
  return keys;
}

// One more whose place is the same, behind all of those.
uint64_t AnotherCollidingLeaf() {
  uint64_t key = CollidingLeaves().back() + 1;
  while (HomeOf(key) != HomeOf(1)) ++key;
  return key;
}

// A look-up has found the descriptor, and then it is not what it was.
void AddOtherBlocksByNow(ScenarioBuilder& add) {
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
}

void AddFindsOfMany(ScenarioBuilder& add) {
  // A look-up of many has looked at the index for all of them before it takes the first.
  const auto find_both = [](CacheScene& s) {
    for (ExtentBufferRef& ref : s.FindBoth()) {
      if (ref) s.CheckBytes(ref);
      s.Put(ref);
    }
  };
  const auto both_cached = [](CacheScene& s) {
    HeldOnce(s);
    ExtentBufferRef other = s.ReadBlock(s.node());
    s.Put(other);
  };
  add.Add("found together, a descriptor that is another block by now", {}, HeldOnce,
          {PutStale(0),
           [](CacheScene& s) {
             ExtentBufferRef ref = s.Create(s.node());
             s.Put(ref);
           },
           find_both});
  add.Add("found together while one dies", {}, both_cached, {PutStale(0), find_both});
  add.Add("found together while all are dropped", {}, both_cached,
          {[](CacheScene& s) {
             s.Put(s.held[0]);
             Drop(s);
           },
           find_both});
}

void AddBatches(ScenarioBuilder& add) {
  // Batches enter the index and the reclaim list with all of their blocks at once.
  const auto read_both = [](bool reversed) -> Step {
    return [reversed](CacheScene& s) {
      const uint64_t other = s.node();
      for (ExtentBufferRef& ref : s.ReadBoth({reversed ? other : 0, reversed ? 0 : other})) {
        s.Expect(static_cast<bool>(ref), "the device does not fail, and a read of a batch did");
        s.Put(ref);
      }
    };
  };
  add.Add("batches that want the same, in opposite order", {}, Nothing,
          {read_both(false), read_both(true)});
  add.Add("a batch, and a put that wants one of it gone", {}, Nothing,
          {read_both(false), [](CacheScene& s) {
             ExtentBufferRef ref = s.Find(s.node());
             if (ref) s.PutStale(ref);
           }});
  add.Add("a batch while all are dropped", {}, Cached, {read_both(false), Drop});
  add.Add("a batch beside a move", {}, Cached, {read_both(false), [](CacheScene& s) { s.Move(); }});
  add.Add("a batch that meets a newcomer on the move", {}, Cached,
          {read_both(false), [](CacheScene& s) {
             Drop(s);
             ExtentBufferRef ref = s.ReadBlock(0);
             if (ref) s.NoteFolio(ref);
             s.Put(ref);
             s.Move();
           }});
  add.Add("batches over a budget of two", {.budget_bytes = 2 * 4096}, Nothing,
          {read_both(false), [](CacheScene& s) {
             ExtentBufferRef ref = s.Create(2 * s.node());
             s.Put(ref);
           }});
  add.Add("a batch of one block twice", {}, Nothing,
          {[](CacheScene& s) {
             for (ExtentBufferRef& ref : s.ReadBoth({0, 0})) s.Put(ref);
           },
           ReadAndPut});
}

// More than the budget, or more than is wanted.
void AddBudgets(ScenarioBuilder& add) {
  // Wanted while in use, idle again, and then everything is to go.
  add.Add("passed over by reclaim, then idle", {}, HeldTwice,
          {Drop, [](CacheScene& s) { s.Put(s.held[0]); }, [](CacheScene& s) { s.Put(s.held[1]); }});
  add.Add("budget of one, two create", {.budget_bytes = 4096}, Nothing,
          {CreateAndPut, [](CacheScene& s) {
             ExtentBufferRef ref = s.Create(s.node());
             s.Put(ref);
           }});
  // More in use than the budget, and then not. The put that ends the use brings the cache back.
  const auto two_held = [](CacheScene& s) {
    s.held[0] = s.Create(0);
    s.held[1] = s.Create(s.node());
  };
  const auto put_held = [](size_t which) {
    return [which](CacheScene& s) { s.Put(s.held[which]); };
  };
  add.Add("over the budget, then idle", {.budget_bytes = 4096}, two_held,
          {put_held(0), put_held(1)});
  add.Add("over the budget, then idle, beside a newcomer", {.budget_bytes = 4096}, two_held,
          {put_held(0), put_held(1), [](CacheScene& s) { s.held[2] = s.Create(2 * s.node()); }});
  add.Add("over the budget, then written", {.budget_bytes = 4096},
          [](CacheScene& s) {
            for (const size_t i : {0, 1}) {
              s.held[i] = s.ReadBlock(i * s.node());
              s.Dirty(s.held[i]);
            }
            s.Put(s.held[0]);
          },
          {[](CacheScene& s) { (void)s.WritebackAll(); }, put_held(1)});
  // Reclaim can neither free nor park what is on the move: the mover does it.
  add.Add("over the budget by what is on the move", {.budget_bytes = 4096}, Cached,
          {[](CacheScene& s) { s.Move(); }, [](CacheScene& s) { s.held[0] = s.Create(s.node()); }});
}

// The cache goes while it is asked for folios.
void AddLastMoves(ScenarioBuilder& add) {
  // Its owner is quiesced first: from then on compaction leaves it alone.
  add.Add("the cache goes beside a move", {}, Cached,
          {[](CacheScene& s) { s.Close(); }, [](CacheScene& s) { s.Move(); }});
  add.Add("the cache goes beside a release", {}, Cached,
          {[](CacheScene& s) { s.Close(); }, [](CacheScene& s) { s.Release(); }});
  add.Add("the cache goes beside two movers", {}, Cached,
          {[](CacheScene& s) { s.Close(); }, [](CacheScene& s) { s.Move(); },
           [](CacheScene& s) { s.Move(); }});
}

// The leaves of the index go.
void AddSweeps(ScenarioBuilder& add) {
  // The last of many leaves becomes empty, and all of them are taken away, beside a lookup.
  const auto nearly_swept = [](CacheScene& s) {
    const std::vector<uint64_t> keys = CollidingLeaves();
    const uint64_t leaf = 64 * uint64_t{s.node()};
    ExtentBufferRef kept = s.ReadBlock(keys.back() * leaf);
    s.Put(kept);
    for (size_t i = 1; i + 1 < keys.size(); ++i) {
      ExtentBufferRef gone = s.Create(keys[i] * leaf);
      s.PutStale(gone);
    }
    s.held[0] = s.Create(keys[0] * leaf);
  };
  add.Add("lookup while empty leaves go", {}, nearly_swept,
          {PutStale(0), [](CacheScene& s) {
             ExtentBufferRef ref = s.Find(CollidingLeaves().back() * 64 * s.node());
             s.Expect(static_cast<bool>(ref), "a block that is there was not found");
             s.Put(ref);
           }});
  // A look-up has seen the key of a leaf that goes, and finds another leaf in its place: one that was made since,
  // and has moved there from further behind, or was entered there.
  const auto looks_for = [](size_t which) -> Step {
    return [which](CacheScene& s) {
      ExtentBufferRef ref = s.Find(CollidingLeaves()[which] * 64 * s.node());
      s.Put(ref);
    };
  };
  const auto makes = [](CacheScene& s, uint64_t key) {
    ExtentBufferRef ref = s.Create(key * 64 * s.node());
    s.Put(ref);
  };
  add.Add("lookup while a new leaf moves to the place of another", {},
          [nearly_swept](CacheScene& s) {
            nearly_swept(s);
            // One more empty one, so that the new one does not put the sweep off.
            ExtentBufferRef gone = s.Create((AnotherCollidingLeaf() + 1) * 64 * s.node());
            s.PutStale(gone);
          },
          {[makes](CacheScene& s) {
             makes(s, AnotherCollidingLeaf());
             s.PutStale(s.held[0]);
           },
           looks_for(2)});
  add.Add("lookup while a new leaf gets the place of another", {}, nearly_swept,
          {[makes](CacheScene& s) {
             s.PutStale(s.held[0]);
             // As many as went: leaves that were there before are given out first.
             const uint64_t beyond = AnotherCollidingLeaf() + 1;
             for (uint64_t key = beyond; key < beyond + 32; ++key) makes(s, key);
             makes(s, AnotherCollidingLeaf());
           },
           looks_for(1)});
}

// The leaves of the index grow in number.
void AddGrowth(ScenarioBuilder& add) {
  // The table has become too small: the two insertions move all leaves to the next one, half each,
  // and the second publishes it.
  const auto too_small = [](CacheScene& s) {
    const uint64_t leaf = 64 * uint64_t{s.node()};
    ExtentBufferRef kept = s.ReadBlock(40 * leaf);
    s.Put(kept);
    for (uint64_t i = 0; i < 32; ++i) {
      ExtentBufferRef gone = s.Create(i * leaf);
      s.PutStale(gone);
    }
  };
  const auto more = [](uint64_t count) -> Step {
    return [count](CacheScene& s) {
      for (uint64_t i = 50; i < 50 + count; ++i) {
        ExtentBufferRef ref = s.Create(i * 64 * uint64_t{s.node()});
        s.Put(ref);
      }
    };
  };
  add.Add("a block that is there is found while the table grows", {}, too_small,
          {more(2), [](CacheScene& s) {
             ExtentBufferRef ref = s.Find(40 * 64 * uint64_t{s.node()});
             s.Expect(static_cast<bool>(ref), "a block that is there was not found");
             s.Put(ref);
           }});
  // The next table is made in the run as well: one insertion finds that it is wanted.
  add.Add("blocks are found together while the table grows", {},
          [](CacheScene& s) {
            const uint64_t leaf = 64 * uint64_t{s.node()};
            ExtentBufferRef kept = s.ReadBlock(0);
            s.Put(kept);
            for (uint64_t i = 1; i < 32; ++i) {
              ExtentBufferRef gone = s.Create(i * leaf);
              s.PutStale(gone);
            }
          },
          {more(3), [](CacheScene& s) {
             std::array<ExtentBufferRef, 2> found = s.FindBoth();
             s.Expect(static_cast<bool>(found[0]), "a block that is there was not found");
             for (ExtentBufferRef& ref : found) s.Put(ref);
           }});
  add.Add("a leaf that the growing table has already goes", {},
          [too_small](CacheScene& s) {
            too_small(s);
            s.held[0] = s.Create(uint64_t{64} * s.node());
          },
          {more(2), PutStale(0)});
}

}  // namespace

void AddOwnScenarios(std::vector<Program>& programs) {
  ScenarioBuilder add(programs);
  AddOtherBlocksByNow(add);
  AddFindsOfMany(add);
  AddBatches(add);
  AddBudgets(add);
  AddLastMoves(add);
  AddSweeps(add);
  AddGrowth(add);
}

}  // namespace ebcache::model
