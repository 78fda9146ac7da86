// Sessions, the views of them, and the way back.

#include <atomic>
#include <cerrno>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/readahead.h"
#include "ebcache/transaction.h"
#include "lib/capi/callback_device.h"
#include "lib/capi/errors.h"
#include "lib/capi/handles.h"
#include "lib/capi/session_handles.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {
namespace {

static_assert(EBCACHE_EXISTING_REFUSE == static_cast<int>(ExistingExtent::kRefuse));
static_assert(EBCACHE_EXISTING_KEEP == static_cast<int>(ExistingExtent::kKeep));
static_assert(EBCACHE_EXISTING_REPLACE == static_cast<int>(ExistingExtent::kReplace));

int Inside(const ebcache_session_options* given, SessionOptions& options) {
  ebcache_session_options full;
  if (const int error = CopyIn(given, full, "options"); error != 0) return error;
  if (full.existing_extents > EBCACHE_EXISTING_REPLACE) {
    return Fail(EINVAL, "existing_extents is none of ebcache_existing_extent");
  }
  if (full.undo_file != nullptr) {
    // Taken for no file, it would leave a caller without the way back that it asked for.
    if (*full.undo_file == '\0') return Fail(EINVAL, "undo_file is empty");
    options.undo_file = full.undo_file;
  }
  options.most_unwritten_bytes = full.most_unwritten_bytes;
  options.existing_extents = static_cast<ExistingExtent>(full.existing_extents);
  options.join_neighbours = full.leave_neighbours == 0;
  options.change_space_trees = full.change_space_trees != 0;
  options.drop_log = full.drop_log != 0;
  const uint64_t most = full.most_commits_without_progress;
  if (most == EBCACHE_UNLIMITED) {
    options.most_commits_without_progress = 0;
  } else if (most > std::numeric_limits<uint32_t>::max()) {
    return Fail(EINVAL, "most_commits_without_progress is more than there are generations");
  } else if (most != 0) {
    options.most_commits_without_progress = static_cast<uint32_t>(most);
  }
  if (full.rewrite_threads > ReadaheadOptions::kMostThreads) {
    return Fail(EINVAL, "rewrite_threads is more than 1024");
  }
  options.rewrite_threads = static_cast<uint32_t>(full.rewrite_threads);
  return 0;
}

}  // namespace
}  // namespace ebcache::capi

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

// ---- Sessions -----------------------------------------------------------------------------------

int ebcache_session_open(ebcache_filesystem* filesystem, const ebcache_session_options* options,
                         ebcache_session** session) {
  if (session == nullptr) return NullArgument("session");
  *session = nullptr;
  if (filesystem == nullptr) return NullArgument("filesystem");
  return Guard([&] {
    SessionOptions inside;
    if (const int error = Inside(options, inside); error != 0) return error;
    auto handle = std::make_unique<ebcache_session>();
    absl::StatusOr<std::unique_ptr<Session>> opened =
        Session::Open(filesystem->filesystem.get(), std::move(inside));
    if (!opened.ok()) return FailToWrite(opened.status());
    handle->filesystem = filesystem;
    handle->session = *std::move(opened);
    filesystem->has_session.store(true, std::memory_order_relaxed);
    *session = handle.release();
    return 0;
  });
}

int ebcache_session_close(ebcache_session* session) {
  if (session == nullptr) return 0;
  return Guard([&] {
    SessionCall call(session);
    if (const int error = call.Check(); error != 0) return error;
    if (session->transactions != 0) return Fail(EBUSY, "transactions of the session are left");
    if (session->views.load(std::memory_order_acquire) != 0) {
      return Fail(EBUSY, "views of the session are left");
    }
    // While the library still has its claim: see has_session.
    session->filesystem->has_session.store(false, std::memory_order_relaxed);
    call.Forget();
    delete session;
    return 0;
  });
}

int ebcache_session_settle(ebcache_session* session) {
  if (session == nullptr) return NullArgument("session");
  const SessionCall call(session);
  if (const int error = call.Check(); error != 0) return error;
  return Guard([&] {
    const absl::Status status = session->session->Settle();
    return status.ok() ? 0 : FailAs(EBUSY, status);
  });
}

uint64_t ebcache_session_free_bytes(const ebcache_session* session) {
  if (session == nullptr) return 0;
  return Guard([&] { return session->session->free_bytes(); });
}

// ---- Views --------------------------------------------------------------------------------------

int ebcache_view_open(ebcache_session* session, ebcache_view** view) {
  if (view == nullptr) return NullArgument("view");
  *view = nullptr;
  if (session == nullptr) return NullArgument("session");
  return Guard([&] {
    auto handle = std::make_unique<ebcache_view>();
    absl::StatusOr<CommittedView> held = session->session->View();
    if (!held.ok()) return Fail(held.status());
    handle->session = session;
    handle->view = *std::move(held);
    // Relaxed: the caller sees to it that the session is not closed meanwhile.
    session->views.fetch_add(1, std::memory_order_relaxed);
    *view = handle.release();
    return 0;
  });
}

void ebcache_view_close(ebcache_view* view) {
  if (view == nullptr) return;
  ebcache_session* const session = view->session;
  delete view;
  session->views.fetch_sub(1, std::memory_order_release);
}

uint64_t ebcache_view_generation(const ebcache_view* view) {
  return view != nullptr ? view->view->generation() : 0;
}

int ebcache_view_tree(ebcache_view* view, uint64_t id, ebcache_tree** tree) {
  if (tree == nullptr) return NullArgument("tree");
  *tree = nullptr;
  if (view == nullptr) return NullArgument("view");
  return Guard([&] {
    absl::StatusOr<BTree> found = view->view->Tree(id);
    if (!found.ok()) return Fail(found.status());
    *tree = new ebcache_tree{*std::move(found), nullptr, 0};
    return 0;
  });
}

// ---- The way back -------------------------------------------------------------------------------

int ebcache_undo(const char* const* paths, size_t count, const char* undo_file) {
  if (const int error = CheckList(paths, count, "paths"); error != 0) return error;
  if (undo_file == nullptr) return NullArgument("undo_file");
  return Guard([&] {
    const absl::Status status =
        UndoSession(std::vector<std::string>(paths, paths + count), undo_file);
    return status.ok() ? 0 : FailToWrite(status);
  });
}

int ebcache_undo_devices(const ebcache_device* const* devices, size_t count,
                         const char* undo_file) {
  if (undo_file == nullptr) return NullArgument("undo_file");
  return Guard([&] {
    std::vector<std::unique_ptr<CallbackDevice>> made;
    const int error = MakeDevices(devices, count, /*writable=*/true, made);
    if (error != 0) return error;
    std::vector<std::unique_ptr<BlockDevice>> inside;
    for (std::unique_ptr<CallbackDevice>& device : made) inside.push_back(std::move(device));
    const absl::Status status = UndoSession(inside, undo_file);
    return status.ok() ? 0 : FailToWrite(status);
  });
}
