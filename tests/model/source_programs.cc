// Sources that use the cache: waits that would close a circle, and those that only look like it.

#include <array>
#include <vector>

#include "tests/model/scenario_builder.h"

namespace ebcache::model {

namespace {

// While a block is read, the source asks for the next one of so many.
Step WantsTheNextOf(uint64_t blocks) {
  return [blocks](CacheScene& s) {
    s.on_read = [&s, blocks](uint64_t start) {
      ExtentBufferRef other = s.ReadBlock((start / s.node() + 1) % blocks * s.node());
      s.Put(other);
    };
  };
}

Step ReadAndPutBlock(uint64_t block) {
  return [block](CacheScene& s) {
    ExtentBufferRef ref = s.ReadBlock(block * s.node());
    s.Expect(static_cast<bool>(ref), "what the source was refused is no error of its own reads");
    s.Put(ref);
  };
}

}  // namespace

void AddSourcePrograms(std::vector<Program>& programs) {
  ScenarioBuilder add(programs);
  add.Add("source: asks for its own block", {}, WantsTheNextOf(1), {ReadAndPutBlock(0)});
  add.Add("source: two want each other's blocks", {}, WantsTheNextOf(2),
          {ReadAndPutBlock(0), ReadAndPutBlock(1)});
  add.Add("source: three want each other's blocks", {}, WantsTheNextOf(3),
          {ReadAndPutBlock(0), ReadAndPutBlock(1), ReadAndPutBlock(2)});
  add.Add("source: a batch whose blocks want each other", {}, WantsTheNextOf(2),
          {[](CacheScene& s) {
             std::array<ExtentBufferRef, 2> both = s.ReadBoth({0, s.node()});
             for (ExtentBufferRef& ref : both) {
               s.Expect(static_cast<bool>(ref), "a block of the batch was not read");
               s.Put(ref);
             }
           },
           ReadAndPutBlock(1)});
  add.Add("source: a read wants a write, and that one the read", {},
          [](CacheScene& s) {
            ExtentBufferRef dirty = s.ReadBlock(s.node());
            s.Dirty(dirty);
            s.Put(dirty);
            s.on_read = [&s](uint64_t start) {
              if (start == 0) (void)s.WritebackAll();
            };
            s.on_write = [&s](uint64_t) {
              ExtentBufferRef ref = s.ReadBlock(0);
              s.Put(ref);
            };
          },
          {ReadAndPutBlock(0), [](CacheScene& s) { (void)s.WritebackAll(); }});
}

}  // namespace ebcache::model
