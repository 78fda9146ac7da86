// Pairs and triples: each thread makes one operation on the same block, beginning and ending
// without a reference that it did not have.

#include <array>
#include <functional>
#include <string>

#include "tests/model/cache_scene.h"
#include "tests/model/programs.h"

namespace ebcache::model {

namespace {

struct Kind {
  const char* name;
  bool holds;  // begins with a reference
  std::function<void(CacheScene&, size_t me)> body;
};

const std::array<Kind, 15>& Kinds() {
  static const std::array<Kind, 15> kinds = {{
      {"find", false,
       [](CacheScene& s, size_t) {
         ExtentBufferRef ref = s.Find(0);
         if (ref) s.CheckBytes(ref);
         s.Put(ref);
       }},
      {"create", false,
       [](CacheScene& s, size_t) {
         ExtentBufferRef ref = s.Create(0);
         s.Expect(static_cast<bool>(ref), "there is memory, and no buffer");
         s.Put(ref);
       }},
      {"put", true, [](CacheScene& s, size_t me) { s.Put(s.held[me]); }},
      {"put-stale", true, [](CacheScene& s, size_t me) { s.PutStale(s.held[me]); }},
      {"read", false,
       [](CacheScene& s, size_t) {
         ExtentBufferRef ref = s.ReadBlock(0);
         s.Expect(static_cast<bool>(ref), "the device does not fail, and the read did");
         s.Put(ref);
       }},
      {"dirty", true,
       [](CacheScene& s, size_t me) {
         s.Dirty(s.held[me]);
         s.Put(s.held[me]);
       }},
      {"writeback", true,
       [](CacheScene& s, size_t me) {
         s.Expect(s.Writeback(s.held[me]), "the device does not fail, and the write did");
         s.Put(s.held[me]);
       }},
      {"flush", false,
       [](CacheScene& s, size_t) {
         s.Expect(s.WritebackAll(), "the device does not fail, and the flush did");
       }},
      {"give-up", true,
       [](CacheScene& s, size_t me) {
         (void)s.GiveUp(s.held[me]);
         s.Put(s.held[me]);
       }},
      {"release", false, [](CacheScene& s, size_t) { s.Release(); }},
      {"migrate", false, [](CacheScene& s, size_t) { s.Move(); }},
      {"reclaim", false, [](CacheScene& s, size_t) { s.cache().Shrink(s.node()); }},
      {"drop", false, [](CacheScene& s, size_t) { s.cache().DropCaches(); }},
      {"reinit", true,
       [](CacheScene& s, size_t me) {
         s.Reinit(s.held[me]);
         s.Put(s.held[me]);
       }},
      {"clone", true,
       [](CacheScene& s, size_t me) {
         ExtentBufferRef clone = s.Clone(s.held[me]);
         s.Put(s.held[me]);
         if (clone) s.CheckBytes(clone);
         s.Put(clone);
       }},
  }};
  return kinds;
}

Program Combine(const std::vector<size_t>& chosen, bool cached) {
  Program program;
  bool writes = false;
  bool gives_up = false;
  for (const size_t kind : chosen) {
    if (!program.name.empty()) program.name += '+';
    program.name += Kinds()[kind].name;
    const std::string name = Kinds()[kind].name;
    writes = writes || name == "writeback" || name == "flush" || name == "give-up";
    gives_up = gives_up || name == "give-up";
  }
  if (!cached) program.name += " (not cached)";
  program.make = [chosen, cached, writes, gives_up]() -> std::unique_ptr<Scene> {
    auto scene = std::make_unique<CacheScene>(CacheSceneOptions{});
    scene->gives_up = gives_up;
    if (!cached) return scene;
    ExtentBufferRef ref = scene->ReadBlock(0);
    scene->NoteFolio(ref);
    for (size_t me = 0; me < chosen.size(); ++me) {
      if (Kinds()[chosen[me]].holds) scene->held[me] = scene->Find(0);
    }
    if (writes) scene->WriteVersion(ref, 2);
    scene->Put(ref);
    return scene;
  };
  for (size_t me = 0; me < chosen.size(); ++me) {
    program.threads.push_back([kind = chosen[me], me](Scene& scene) {
      Kinds()[kind].body(static_cast<CacheScene&>(scene), me);
    });
  }
  return program;
}

// Whether the program makes sense where the block is not cached at first.
bool WithoutBlock(const std::vector<size_t>& chosen) {
  bool makes = false;
  for (const size_t kind : chosen) {
    const std::string name = Kinds()[kind].name;
    if (Kinds()[kind].holds || name == "release" || name == "migrate") return false;
    makes = makes || name == "create" || name == "read";
  }
  return makes;
}

void Add(const std::vector<size_t>& chosen, bool quick, std::vector<Program>& programs) {
  programs.push_back(Combine(chosen, /*cached=*/true));
  programs.back().quick = quick;
  if (!WithoutBlock(chosen)) return;
  programs.push_back(Combine(chosen, /*cached=*/false));
  programs.back().quick = quick;
}

}  // namespace

void AddCombinations(std::vector<Program>& programs) {
  const size_t kinds = Kinds().size();
  for (size_t a = 0; a < kinds; ++a) {
    for (size_t b = a; b < kinds; ++b) Add({a, b}, /*quick=*/true, programs);
  }
  for (size_t a = 0; a < kinds; ++a) {
    for (size_t b = a; b < kinds; ++b) {
      for (size_t c = b; c < kinds; ++c) Add({a, b, c}, /*quick=*/false, programs);
    }
  }
}

}  // namespace ebcache::model
