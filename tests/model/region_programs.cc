// A cache on a movable region, beside compaction: blocks that move, page blocks that are emptied
// side by side, a cache that goes.

#include <memory>
#include <utility>
#include <vector>

#include "tests/model/cache_scene.h"
#include "tests/model/programs.h"

namespace ebcache::model {

namespace {

using Step = std::function<void(CacheScene&)>;

// What is there when a program begins.
struct Setup {
  uint32_t pages = 1;            // of a block
  uint32_t superpageblocks = 2;  // of the region
  uint64_t blocks = 3;           // cached
  bool held = true;              // the first of them
  bool hole = false;             // the first is stale, and a superpageblock is taken
};

void Add(std::vector<Program>& programs, const Setup& setup, std::string name,
         const std::vector<Step>& threads) {
  Program program{.name = std::move(name)};
  program.make = [setup] {
    auto scene = std::make_unique<CacheScene>(
        CacheSceneOptions{.node_bytes = 4096 * setup.pages,
                          .direct = false,
                          .region_superpageblocks = setup.superpageblocks});
    for (uint64_t i = 0; i < setup.blocks; ++i) {
      ExtentBufferRef ref = scene->ReadBlock(i * scene->node());
      if (i == 0 && setup.held) scene->held[0] = scene->Find(0);
      scene->Put(ref);
    }
    if (setup.hole) {
      scene->Pin();
      scene->PutStale(scene->held[0]);
    }
    return scene;
  };
  for (const Step& thread : threads) {
    program.threads.push_back([thread](Scene& scene) { thread(static_cast<CacheScene&>(scene)); });
  }
  program.quick = true;
  programs.push_back(std::move(program));
}

// Memory in one piece: whatever is in the way is moved, or released.
void TakeAndFree(CacheScene& s, int order) {
  auto folio = s.region().AllocateContiguous({}, order);
  if (folio.ok()) s.region().FreeBulk(order, {&*folio, 1});
}

void EmptySuperpageblock(CacheScene& s) { TakeAndFree(s, s.region().superpageblock_order()); }
void EmptyPageblock(CacheScene& s) { TakeAndFree(s, s.region().superpageblock_order() - 1); }
void StalePut(CacheScene& s) { s.PutStale(s.held[0]); }
void Put(CacheScene& s) { s.Put(s.held[0]); }
void Drop(CacheScene& s) { s.cache().DropCaches(); }

Step Read(uint64_t block) {
  return [block](CacheScene& s) {
    ExtentBufferRef ref = s.ReadBlock(block * s.node());
    s.Put(ref);
  };
}

void Go(CacheScene& s) {
  s.Put(s.held[0]);
  s.Close();
}

// One superpageblock at a time.
void AddMoves(std::vector<Program>& programs) {
  const auto add = [&](std::string name, const std::vector<Step>& threads) {
    Add(programs, {}, std::move(name), threads);
  };
  const Step empty = EmptySuperpageblock;
  add("region: compaction and a stale put", {empty, StalePut});
  add("region: compaction and a put", {empty, Put});
  add("region: compaction and a lookup", {empty, Read(2)});
  add("region: compaction and a new block", {empty, Read(4)});
  add("region: compaction and drop", {empty, Drop});
  add("region: two compactions", {empty, empty});
  add("region: compaction, stale put, new block", {empty, StalePut, Read(4)});
  add("region: two compactions and drop", {empty, empty, Drop});
  // Folios of one block move together. Of three superpageblocks one is taken, one half full: the
  // block in the third moves to where another has been.
  const Setup pairs{.pages = 2, .superpageblocks = 3, .hole = true};
  Add(programs, pairs, "region: a block of two pages moves, and is found", {empty, Read(2)});
  Add(programs, pairs, "region: a block of two pages moves, is found, goes",
      {empty, Read(2), Drop});
}

// Page blocks that are neighbours, isolated by one thread each, and emptied: each has to get its
// own. All memory is in use, so that neither finds a page block that is free already.
void AddNeighbours(std::vector<Program>& programs) {
  const auto add = [&](std::string name, const std::vector<Step>& threads) {
    Add(programs, {.superpageblocks = 1, .blocks = 4}, std::move(name), threads);
  };
  const Step empty = EmptyPageblock;
  Add(programs, {.superpageblocks = 1, .blocks = 4, .held = false}, "region: neighbours emptied",
      {empty, empty});
  add("region: neighbours emptied, and a put", {empty, empty, Put});
  add("region: neighbours emptied, and a stale put", {empty, empty, StalePut});
  add("region: neighbours emptied, and drop", {empty, empty, Drop});
  add("region: neighbours emptied, and a new block", {empty, empty, Read(5)});
  add("region: a page block and all of them emptied", {empty, EmptySuperpageblock, Put});
}

// Whoever goes first has its owner quiesced: no call of it is under way then, and none begins.
void AddGoing(std::vector<Program>& programs) {
  const auto add = [&](std::string name, const std::vector<Step>& threads) {
    Add(programs, {}, std::move(name), threads);
  };
  add("region: the cache goes beside compaction", {Go, EmptySuperpageblock});
  add("region: the cache goes beside two compactions", {Go, EmptySuperpageblock, EmptyPageblock});
}

// Whoever cannot do without memory asks owners, in the order of frames, from where the last one
// stopped. All memory is in use, some of it not idle.
void CannotDoWithout(CacheScene& s) {
  Folio folio;
  if (s.region().AllocateBulk({.flags = AllocFlags::kNoFail}, 0, {&folio, 1}).ok()) {
    s.region().FreeBulk(0, {&folio, 1});
  }
}

void AddReleases(std::vector<Program>& programs) {
  const Setup full{.superpageblocks = 1, .blocks = 4};
  const Step insist = CannotDoWithout;
  Add(programs, full, "region: two that cannot do without", {insist, insist});
  Add(programs, full, "region: one that cannot do without, and a put", {insist, Put});
  Add(programs, full, "region: one that cannot do without, and a stale put", {insist, StalePut});
  Add(programs, full, "region: one that cannot do without, and compaction",
      {insist, EmptyPageblock});
}

}  // namespace

void AddRegionPrograms(std::vector<Program>& programs) {
  AddMoves(programs);
  AddNeighbours(programs);
  AddGoing(programs);
  AddReleases(programs);
}

}  // namespace ebcache::model
