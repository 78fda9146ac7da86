// ScenarioBuilder: named programs on a CacheScene, and the setups and steps that many of them have.

#ifndef EBCACHE_TESTS_MODEL_SCENARIO_BUILDER_H_
#define EBCACHE_TESTS_MODEL_SCENARIO_BUILDER_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/cache_scene.h"
#include "tests/model/programs.h"

namespace ebcache::model {

using Step = std::function<void(CacheScene&)>;

class ScenarioBuilder {
 public:
  explicit ScenarioBuilder(std::vector<Program>& programs) : programs_(programs) {}

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

inline void Nothing(CacheScene&) {}

inline void Cached(CacheScene& s) {
  ExtentBufferRef ref = s.ReadBlock(0);
  s.NoteFolio(ref);
  s.Put(ref);
}

// Cached, with a reference for each of the first two threads.
inline void HeldTwice(CacheScene& s) {
  Cached(s);
  s.held[0] = s.Find(0);
  s.held[1] = s.Find(0);
}

inline void HeldOnce(CacheScene& s) {
  Cached(s);
  s.held[0] = s.Find(0);
}

// ---- Steps --------------------------------------------------------------------------------------

inline void ReadAndPut(CacheScene& s) {
  ExtentBufferRef ref = s.ReadBlock(0);
  s.Expect(static_cast<bool>(ref), "the device does not fail, and the read did");
  s.Put(ref);
}

// Whether or not the device fails.
inline void TryToRead(CacheScene& s) {
  ExtentBufferRef ref = s.ReadBlock(0);
  s.Put(ref);
}

inline void FindAndPut(CacheScene& s) {
  ExtentBufferRef ref = s.Find(0);
  if (ref) s.CheckBytes(ref);
  s.Put(ref);
}

inline void FindAndDirty(CacheScene& s) {
  ExtentBufferRef ref = s.Find(0);
  if (ref) s.Dirty(ref);
  s.Put(ref);
}

inline void FindAndReuse(CacheScene& s) {
  ExtentBufferRef ref = s.Find(0);
  if (!ref) return;
  s.Reinit(ref);
  s.Dirty(ref);
  s.Put(ref);
}

inline void CreateAndPut(CacheScene& s) {
  ExtentBufferRef ref = s.Create(0);
  s.Expect(static_cast<bool>(ref), "there is memory, and no buffer");
  s.Put(ref);
}

inline void Drop(CacheScene& s) { s.cache().DropCaches(); }
inline void Shrink(CacheScene& s) { s.cache().Shrink(s.node()); }

inline Step PutStale(size_t which) {
  return [which](CacheScene& s) { s.PutStale(s.held[which]); };
}

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_SCENARIO_BUILDER_H_
