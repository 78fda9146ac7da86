// Walks over whole trees, told to the caller's functions.

#include <cerrno>
#include <string>

#include "ebcache/btree.h"
#include "lib/capi/damage_tally.h"
#include "lib/capi/errors.h"
#include "lib/capi/handles.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {
namespace {

class CallbackVisitor final : public TreeVisitor {
 public:
  CallbackVisitor(const ebcache_visitor& functions, void* context, const ebcache_root& root)
      : functions_(functions), context_(context), root_(root) {}

  bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
    const CallbackWords words;
    const int result = functions_.block(context_, &root_, Outside(&block));
    if (result < 0) {
      result_ = words.Pass(result, "block");
      words_ = ebcache_last_error();
    }
    return result == 0;
  }

  bool Stopped() override { return result_ < 0; }

  void VisitDamage(const WalkDamage& damage) override {
    damages_.Add(damage);
    if (functions_.damage == nullptr) return;
    const std::string message = damage.ToString();
    const ebcache_walk_damage outside{.size = sizeof(outside),
                                      .tree = damage.tree,
                                      .logical = damage.logical,
                                      .level = damage.level,
                                      .error = -ErrnoOf(damage.status),
                                      .message = message.c_str()};
    functions_.damage(context_, &outside);
  }

  int Result() const {
    if (result_ == 0) return damages_.Result();
    // Others may have failed since: those are not what ended the walk.
    Fail(0, words_);
    return result_;
  }

 private:
  const ebcache_visitor functions_;
  void* const context_;
  const ebcache_root root_;
  int result_ = 0;
  std::string words_;
  DamageTally damages_;
};

}  // namespace
}  // namespace ebcache::capi

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

int ebcache_walk(ebcache_cache* cache, const ebcache_root* root, const ebcache_visitor* visitor,
                 void* context, const ebcache_walk_options* options) {
  if (cache == nullptr) return NullArgument("cache");
  if (root == nullptr) return NullArgument("root");
  if (visitor == nullptr) return NullArgument("visitor");
  return Guard([&] {
    ebcache_root where;
    ebcache_visitor functions;
    ebcache_walk_options how;
    if (const int error = CopyInRoot(root, where); error != 0) return error;
    if (const int error = CopyIn(visitor, functions, "visitor"); error != 0) return error;
    if (const int error = CopyIn(options, how, "options"); error != 0) return error;
    if (functions.block == nullptr) return NullArgument("visitor->block");
    if (how.batch > 65536) return Fail(EINVAL, "batch must be 65536 at the most");
    WalkOptions inside;
    if (how.visited != nullptr) inside.visited = &how.visited->blocks;
    if (how.batch != 0) inside.batch = static_cast<int>(how.batch);
    if (how.ahead > 65536) return Fail(EINVAL, "ahead must be 65536 at the most");
    if (how.ahead != 0) inside.ahead = static_cast<int>(how.ahead);
    inside.drop_behind = how.drop_behind != 0;
    if (how.readahead != nullptr) {
      if (how.readahead->of != cache) return Fail(EINVAL, "the readahead is of another cache");
      inside.readahead = &how.readahead->readahead;
    }
    CallbackVisitor visits(functions, context, where);
    WalkTree(*cache->cache, Inside(where), visits, inside);
    return visits.Result();
  });
}
