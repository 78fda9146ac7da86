// Reading ahead: what is asked for, the thread that reads it, the end of it, and others who want
// the same blocks.

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/readahead.h"
#include "tests/model/cache_scene.h"
#include "tests/model/programs.h"

namespace ebcache::model {

namespace {

void Add(std::vector<Program>& programs, std::string name,
         const std::vector<std::function<void(CacheScene&)>>& threads) {
  Program program{.name = std::move(name),
                  .make = [] { return std::make_unique<CacheScene>(CacheSceneOptions{}); }};
  for (const auto& thread : threads) {
    program.threads.push_back([thread](Scene& scene) { thread(static_cast<CacheScene&>(scene)); });
  }
  program.quick = true;
  programs.push_back(std::move(program));
}

void ExpectRead(CacheScene& s, uint64_t start) {
  ExtentBufferRef ref = s.Find(start);
  s.Expect(static_cast<bool>(ref), "asked for, and not there when all is quiet");
  if (!ref) return;
  s.CheckBytes(ref);
  s.Put(ref);
}

// What callers do that have a whole node's children to ask for, or no threads.
void AddAskers(std::vector<Program>& programs) {
  // One lock for both; what finds no room is the asker's to know.
  const auto asks_for_many = [](CacheScene& s) {
    Readahead readahead(&s.cache(), {.threads = 1, .batch = 1, .most_waiting = 1});
    const std::array<uint64_t, 2> starts{0, s.node()};
    const size_t dealt_with = readahead.AskMany(starts, {});
    AwaitQuiet();
    for (size_t i = 0; i < dealt_with; ++i) ExpectRead(s, starts[i]);
    s.Expect(readahead.waiting() == 0, "something is counted that does not wait");
  };
  const auto asks_without_threads = [](CacheScene& s) {
    Readahead readahead(&s.cache(), {.threads = ReadaheadOptions::kNoThreads, .batch = 1});
    readahead.Ask(0, {});
    readahead.Ask(s.node(), {});
    while (readahead.ReadSome()) continue;
    ExpectRead(s, 0);
    ExpectRead(s, s.node());
  };
  const auto reads = [](CacheScene& s) {
    ExtentBufferRef ref = s.ReadBlock(0);
    s.Put(ref);
  };
  Add(programs, "readahead: many at once, beside a reader", {asks_for_many, reads});
  Add(programs, "readahead: without threads, beside a reader", {asks_without_threads, reads});
}

}  // namespace

void AddReadaheadPrograms(std::vector<Program>& programs) {
  AddAskers(programs);
  const auto gone_at_once = [](CacheScene& s) {
    Readahead readahead(&s.cache(), {.threads = 1, .batch = 1});
    readahead.Ask(0, {});
  };
  const auto asks_for_two = [](CacheScene& s) {
    Readahead readahead(&s.cache(), {.threads = 1, .batch = 1});
    readahead.Ask(0, {});
    readahead.Ask(s.node(), {});
    AwaitQuiet();
    ExpectRead(s, 0);
    ExpectRead(s, s.node());
  };
  // Less than a batch waits for somebody to say that this is all.
  const auto flushes = [](CacheScene& s) {
    Readahead readahead(&s.cache(), {.threads = 1, .batch = 2});
    readahead.Ask(0, {});
    readahead.Flush();
    AwaitQuiet();
    ExpectRead(s, 0);
  };
  const auto has_no_room = [](CacheScene& s) {
    Readahead readahead(&s.cache(), {.threads = 1, .batch = 1, .most_waiting = 1});
    readahead.Ask(0, {});
    readahead.Ask(s.node(), {});
    AwaitQuiet();
    ExpectRead(s, 0);
  };
  const auto fails = [](CacheScene& s) {
    s.failing_reads = 1;
    Readahead readahead(&s.cache(), {.threads = 1, .batch = 1});
    readahead.Ask(0, {});
    AwaitQuiet();
  };
  // Who asked reads as well: each block is read by one of the two.
  const auto lends_a_hand = [](CacheScene& s) {
    Readahead readahead(&s.cache(), {.threads = 1, .batch = 1});
    readahead.Ask(0, {});
    readahead.ReadSome();
    AwaitQuiet();
    ExpectRead(s, 0);
    s.Expect(!readahead.ReadSome(), "something still waits when all is quiet");
  };
  const auto reads = [](CacheScene& s) {
    ExtentBufferRef ref = s.ReadBlock(0);
    s.Put(ref);
  };
  const auto drops = [](CacheScene& s) { s.cache().DropCaches(); };
  Add(programs, "readahead: gone at once", {gone_at_once});
  Add(programs, "readahead: two blocks", {asks_for_two});
  Add(programs, "readahead: flushed", {flushes});
  Add(programs, "readahead: no room", {has_no_room});
  Add(programs, "readahead: lends a hand", {lends_a_hand});
  Add(programs, "readahead: beside a reader", {gone_at_once, reads});
  Add(programs, "readahead: beside a reader, and fails", {fails, reads});
  Add(programs, "readahead: beside reclaim", {gone_at_once, drops});
}

}  // namespace ebcache::model
