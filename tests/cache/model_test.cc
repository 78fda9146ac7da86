// The cache against a naive one, under random programs of operations (single-threaded; the
// interleavings are the business of other tests).
//
// A program is a vector of operation structs, each of which performs itself on the cache and on the
// model and compares what it sees. A failure prints the shrunk program.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint32_t kNode = 4096;
constexpr int kAddresses = 8;

// What the model knows of a block's buffer. References are those of the program; the cache's own is
// implied by being in the model at all.
struct ModelBuffer {
  int id = 0;  // which life of the block this is
  int refs = 0;
  bool uptodate = false;
  bool dirty = false;
  bool stale = false;
  bool write_error = false;
  std::optional<uint64_t> word;  // first 8 bytes, where known
};

struct World {
  World()
      : allocator(Order0Allocator({.arena_bytes = 16 << 20})),
        cache({.node_bytes = kNode, .budget_bytes = 0, .allocator = allocator}, &source) {
    source.on_read = [this](uint64_t) {
      return fail_io ? absl::UnavailableError("EIO") : absl::OkStatus();
    };
    source.on_write = source.on_read;
  }

  struct Held {
    ExtentBufferRef ref;
    uint64_t start;
  };

  MemorySource source;
  std::shared_ptr<PageAllocator> allocator;
  BufferCache cache;
  bool fail_io = false;

  std::map<uint64_t, ModelBuffer> model;  // mapped buffers by address
  std::map<uint64_t, uint64_t> disk;      // first word of blocks ever written
  std::vector<Held> held;
  std::vector<ExtentBufferRef> clones;
  int lives = 0;

  uint64_t DiskWord(uint64_t start) {
    const auto it = disk.find(start);
    if (it != disk.end()) return it->second;
    return start * 0x9e3779b97f4a7c15u;  // MemorySource::Pattern
  }

  // A reference went. The buffer's life may end with it.
  void ModelPut(uint64_t start) {
    ModelBuffer& buffer = model.at(start);
    --buffer.refs;
    if (buffer.refs == 0 && buffer.stale && !buffer.dirty) model.erase(start);
  }

  static bool Idle(const ModelBuffer& buffer) { return buffer.refs == 0 && !buffer.dirty; }

  // Everything that can be compared from outside, after each operation.
  void Compare() {
    RC_ASSERT(cache.stats().cached_buffers == model.size());
    RC_ASSERT(cache.stats().private_buffers == clones.size());
    RC_ASSERT(allocator->stats().in_use_bytes == (model.size() + clones.size()) * kNode);
    uint64_t dirty = 0;
    uint64_t idle = 0;
    for (const auto& [start, buffer] : model) {
      dirty += buffer.dirty;
      idle += Idle(buffer);
    }
    RC_ASSERT(cache.stats().dirty_buffers == dirty);
    RC_ASSERT(cache.ExplainPins()[0].second == idle);
    for (const Held& held_ref : held) {
      const ModelBuffer& buffer = model.at(held_ref.start);
      const BufferState s = held_ref.ref->state();
      RC_ASSERT(s.refs == static_cast<uint32_t>(buffer.refs) + 1);
      RC_ASSERT(s.has(BufferFlag::kTreeRef));
      RC_ASSERT(s.has(BufferFlag::kUptodate) == buffer.uptodate);
      RC_ASSERT(s.has(BufferFlag::kDirty) == buffer.dirty);
      RC_ASSERT(s.has(BufferFlag::kStale) == buffer.stale);
      RC_ASSERT(s.has(BufferFlag::kWriteErr) == buffer.write_error);
      RC_ASSERT(!s.has(BufferFlag::kReading) && !s.has(BufferFlag::kWriteback));
      if (buffer.uptodate && buffer.word) {
        RC_ASSERT(*held_ref.ref->Get<uint64_t>(0) == *buffer.word);
      }
    }
  }
};

// One operation. `address` and `which` choose a block and a held reference, modulo what there is.
struct Operation {
  enum Kind {
    kFind,
    kCreate,
    kRead,
    kReadBlock,
    kPut,
    kPutStale,
    kShare,
    kWrite,
    kSetDirty,
    kClearDirty,
    kWriteback,
    kWritebackAll,
    kReinit,
    kClone,
    kPutClone,
    kDropCaches,
    kShrink,
    kFirstAtOrAfter,
    kNextDirty,
    kToggleIoFailure,
    kKinds,
  };
  Kind kind;
  uint64_t address;
  unsigned which;

  void Perform(World& world) const;

 private:
  void PerformOnHeld(World& world, size_t index) const;
  void ModelGet(World& world, uint64_t start, ExtentBufferRef ref) const {
    ++world.model.at(start).refs;
    world.held.push_back({std::move(ref), start});
  }
  void ModelWriteback(World& world, uint64_t start) const;
  bool ModelRead(World& world, uint64_t start) const;
};

std::ostream& operator<<(std::ostream& out, const Operation& op) {
  static constexpr const char* kNames[] = {
      "kFind",       "kCreate",       "kRead",           "kReadBlock", "kPut",
      "kPutStale",   "kShare",        "kWrite",          "kSetDirty",  "kClearDirty",
      "kWriteback",  "kWritebackAll", "kReinit",         "kClone",     "kPutClone",
      "kDropCaches", "kShrink",       "kFirstAtOrAfter", "kNextDirty", "kToggleIoFailure"};
  return out << "{Operation::" << kNames[op.kind] << ", " << op.address << ", " << op.which << "}";
}

// A read of a held buffer, as the model has it. False: it fails.
bool Operation::ModelRead(World& world, uint64_t start) const {
  ModelBuffer& buffer = world.model.at(start);
  if (buffer.uptodate) return true;
  if (buffer.write_error) return false;
  if (world.fail_io) {
    buffer.stale = true;
    return false;
  }
  buffer.uptodate = true;
  buffer.word = world.DiskWord(start);
  return true;
}

void Operation::ModelWriteback(World& world, uint64_t start) const {
  ModelBuffer& buffer = world.model.at(start);
  buffer.dirty = false;
  if (world.fail_io) {
    buffer.write_error = true;
    buffer.uptodate = false;
  } else {
    buffer.write_error = false;
    world.disk[start] = *buffer.word;
  }
  if (buffer.refs == 0 && buffer.stale) world.model.erase(start);
}

void Operation::PerformOnHeld(World& world, size_t index) const {
  World::Held& held = world.held[index];
  const uint64_t start = held.start;
  ModelBuffer& buffer = world.model.at(start);
  switch (kind) {
    case kPut:
    case kPutStale:
      if (kind == kPutStale) {
        held.ref.PutStale();
        buffer.stale = true;
      }
      world.held.erase(world.held.begin() + static_cast<long>(index));
      world.ModelPut(start);
      break;
    case kShare:
      ModelGet(world, start, held.ref.Share());
      break;
    case kRead:
      RC_ASSERT(world.cache.Read(held.ref).ok() == ModelRead(world, start));
      break;
    case kWrite:
      if (!buffer.uptodate) break;
      RC_ASSERT(held.ref->Set<uint64_t>(0, which).ok());
      buffer.word = which;
      held.ref.SetDirty();
      buffer.dirty = true;
      break;
    case kSetDirty:
      if (!buffer.uptodate || !buffer.word) break;
      held.ref.SetDirty();
      buffer.dirty = true;
      break;
    case kClearDirty:
      held.ref.ClearDirty();
      buffer.dirty = false;
      break;
    case kWriteback: {
      const bool expected = buffer.dirty ? !world.fail_io : !buffer.write_error;
      RC_ASSERT(world.cache.Writeback(held.ref).ok() == expected);
      if (buffer.dirty) ModelWriteback(world, start);
      break;
    }
    case kReinit:
      RC_ASSERT(world.cache.ReinitAsNewBlock(held.ref, 101).ok());
      buffer.stale = false;
      buffer.dirty = false;
      buffer.uptodate = true;
      buffer.word = 0;
      break;
    case kClone:
      world.clones.push_back(*world.cache.Clone(*held.ref));
      RC_ASSERT(world.clones.back()->state().refs == 1u);
      break;
    default:
      break;
  }
}

void Operation::Perform(World& world) const {
  const uint64_t start = address % kAddresses * kNode;
  const auto in_model = world.model.find(start);
  switch (kind) {
    case kFind: {
      ExtentBufferRef ref = world.cache.Find(start);
      RC_ASSERT(static_cast<bool>(ref) == (in_model != world.model.end()));
      if (ref) ModelGet(world, start, std::move(ref));
      return;
    }
    case kCreate: {
      auto ref = world.cache.Create(start);
      RC_ASSERT(ref.ok());
      if (in_model == world.model.end()) world.model[start] = {.id = ++world.lives};
      ModelGet(world, start, *std::move(ref));
      return;
    }
    case kReadBlock: {
      auto ref = world.cache.ReadBlock(start);
      if (in_model == world.model.end()) world.model[start] = {.id = ++world.lives};
      ++world.model[start].refs;
      RC_ASSERT(ref.ok() == ModelRead(world, start));
      if (ref.ok()) {
        world.held.push_back({*std::move(ref), start});
      } else {
        world.ModelPut(start);
      }
      return;
    }
    case kWritebackAll: {
      bool any = false;
      for (uint64_t at = 0; at < kAddresses; ++at) {
        const auto it = world.model.find(at * kNode);
        if (it == world.model.end() || !it->second.dirty) continue;
        any = true;
      }
      RC_ASSERT(world.cache.WritebackAll().ok() == !(any && world.fail_io));
      for (uint64_t at = 0; at < kAddresses; ++at) {
        const auto it = world.model.find(at * kNode);
        if (it != world.model.end() && it->second.dirty) ModelWriteback(world, at * kNode);
      }
      return;
    }
    case kPutClone:
      if (!world.clones.empty()) world.clones.pop_back();
      return;
    case kDropCaches: {
      const auto gone =
          std::erase_if(world.model, [&](const auto& entry) { return world.Idle(entry.second); });
      RC_ASSERT(world.cache.DropCaches() == gone);
      return;
    }
    case kShrink: {
      // Which ones go is the cache's choice; how many is not.
      uint64_t idle = 0;
      for (const auto& [at, buffer] : world.model) idle += world.Idle(buffer);
      const uint64_t wanted = which % 4;
      RC_ASSERT(world.cache.Shrink(wanted * kNode) == std::min(idle, wanted) * kNode);
      std::erase_if(world.model, [&](const auto& entry) {
        return world.Idle(entry.second) && !world.cache.Find(entry.first);
      });
      return;
    }
    case kFirstAtOrAfter: {
      ExtentBufferRef ref = world.cache.FirstAtOrAfter(start);
      const auto it = world.model.lower_bound(start);
      RC_ASSERT(static_cast<bool>(ref) == (it != world.model.end()));
      if (ref) RC_ASSERT(ref->start() == it->first);
      return;
    }
    case kNextDirty: {
      ExtentBufferRef ref = world.cache.NextDirty(start);
      const auto it = std::find_if(world.model.lower_bound(start), world.model.end(),
                                   [](const auto& entry) { return entry.second.dirty; });
      RC_ASSERT(static_cast<bool>(ref) == (it != world.model.end()));
      if (ref) RC_ASSERT(ref->start() == it->first);
      return;
    }
    case kToggleIoFailure:
      world.fail_io = !world.fail_io;
      return;
    default:
      if (!world.held.empty()) PerformOnHeld(world, which % world.held.size());
      return;
  }
}

void Run(const std::vector<Operation>& program) {
  World world;
  for (const Operation& operation : program) {
    operation.Perform(world);
    world.Compare();
  }
  // Steady state: with all references gone, only dirty buffers stay.
  world.held.clear();
  world.clones.clear();
  world.fail_io = false;
  (void)world.cache.WritebackAll();
  world.cache.DropCaches();
  RC_ASSERT(world.cache.stats().cached_buffers == 0u);
  RC_ASSERT(world.allocator->stats().in_use_bytes == 0u);
}

}  // namespace
}  // namespace ebcache

namespace rc {
template <>
struct Arbitrary<ebcache::Operation> {
  static Gen<ebcache::Operation> arbitrary() {
    using ebcache::Operation;
    return gen::apply(
        [](int kind, uint64_t address, unsigned which) {
          return Operation{static_cast<Operation::Kind>(kind), address, which};
        },
        gen::inRange<int>(0, Operation::kKinds), gen::inRange<uint64_t>(0, ebcache::kAddresses),
        gen::inRange<unsigned>(0, 64));
  }
};
}  // namespace rc

namespace ebcache {
namespace {

RC_GTEST_PROP(Model, CacheMatchesTheNaiveOne, (const std::vector<Operation>& program)) {
  Run(program);
}

// Longer programs, which reach states that short ones do not.
RC_GTEST_PROP(Model, CacheMatchesTheNaiveOneForLong, ()) {
  Run(*rc::gen::resize(600, rc::gen::arbitrary<std::vector<Operation>>()));
}

}  // namespace
}  // namespace ebcache
