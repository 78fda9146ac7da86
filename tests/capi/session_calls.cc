// A call of every function that has to do with sessions and transactions.

#include <cerrno>

#include "tests/capi/session_stage.h"

extern "C" {
#include "tests/capi/sample_item.h"
}

namespace ebcache {
namespace {

using S = SessionStage;

template <typename T>
T Sized() {
  T value{};
  value.size = sizeof value;
  return value;
}

// In place of the stage's own. An undo file is there if the session is, and no longer.
int OpenSession(S& s, bool undo) {
  s.CloseSession();
  auto options = Sized<ebcache_session_options>();
  if (undo) options.undo_file = s.undo_file.c_str();
  const int error = ebcache_session_open(s.filesystem, &options, &s.session);
  if ((s.session != nullptr) != (error == 0)) return -EPROTO;
  return s.HasUndoFile() == (undo && error == 0) ? error : -EPROTO;
}

int Settle(S& s) {
  s.CloseTransaction();
  return ebcache_session_settle(s.session);
}

int Undo(S& s) {
  const ebcache_device functions = written_device_functions(&s.device);
  const ebcache_device* const devices[] = {&functions};
  const int error = ebcache_undo_devices(devices, 1, s.undo_file.c_str());
  return error == 0 && s.HasUndoFile() ? -EPROTO : error;
}

int UndoByPath(S& s) {
  const char* const paths[] = {"/nowhere/disk"};
  return ebcache_undo(paths, 1, s.undo_file.c_str());
}

int Commit(S& s) { return ebcache_transaction_commit(s.transaction, nullptr, nullptr); }

int Begin(S& s) {
  s.CloseTransaction();
  const int error = ebcache_transaction_begin(s.session, &s.transaction);
  return (s.transaction != nullptr) == (error == 0) ? error : -EPROTO;
}

int OpenView(S& s) {
  ebcache_view* view;
  const int error = ebcache_view_open(s.session, &view);
  if ((view != nullptr) != (error == 0)) return -EPROTO;
  ebcache_view_close(view);
  return error;
}

int CloseTree(int error, ebcache_tree* tree) {
  if ((tree != nullptr) != (error == 0)) return -EPROTO;
  ebcache_tree_close(tree);
  return error;
}

// What a change gave. What had no memory can be done by the next transaction: so the stage says.
int Insert(S& s, int number, size_t bytes) {
  const sample_item item = make_sample_item(number, bytes, 'x');
  return ebcache_transaction_insert(s.transaction, FILES, &item.key, item.data, item.bytes);
}

int Replace(S& s, int number) {
  const sample_item item = make_sample_item(number, 200, 'x');
  return ebcache_transaction_replace(s.transaction, FILES, &item.key, item.data, item.bytes);
}

int MakeChunk(S& s) {
  auto wanted = Sized<ebcache_new_chunk>();
  wanted.type = EBCACHE_CHUNK_METADATA;
  wanted.profile = EBCACHE_PROFILE_DUP;
  wanted.most_bytes = 8 << 20;
  auto chunk = Sized<ebcache_chunk>();
  return ebcache_transaction_make_chunk(s.transaction, &wanted, &chunk);
}

// There is no such extent: what is added is dropped again.
int ChangeReference(S& s) {
  auto reference = Sized<ebcache_data_reference>();
  reference.extent = 1 << 30;
  reference.bytes = 4096;
  const int error = ebcache_transaction_change_reference(s.transaction, &reference, 1);
  return error != 0 ? error : ebcache_transaction_change_reference(s.transaction, &reference, -1);
}

// A preview over the stage's device, with a filesystem of it.
int WithPreview(S& s, int (*use)(ebcache_preview* preview)) {
  const ebcache_device functions = written_device_functions(&s.device);
  const ebcache_device* const devices[] = {&functions};
  ebcache_preview* preview;
  const int error = ebcache_preview_open_devices(devices, 1, nullptr, &preview);
  if ((preview != nullptr) != (error == 0)) return -EPROTO;
  if (error != 0) return error;
  const int used = use(preview);
  const int closed = ebcache_preview_close(preview);
  --s.device.closed;  // by the preview, and not by the stage's filesystem
  return closed != 0 ? closed : used;
}

int OpenOfPreview(ebcache_preview* preview) {
  auto options = Sized<ebcache_filesystem_options>();
  options.writable = 1;
  ebcache_filesystem* filesystem;
  const int error = ebcache_preview_filesystem(preview, &options, &filesystem);
  if ((filesystem != nullptr) != (error == 0)) return -EPROTO;
  if (error == 0 && ebcache_preview_close(preview) != -EBUSY) return -EPROTO;
  const int closed = ebcache_close(filesystem);
  return closed != 0 ? closed : error;
}

int OpenPreviewByPath(S&) {
  const char* const paths[] = {"/nowhere/disk"};
  ebcache_preview* preview;
  return ebcache_preview_open(paths, 1, nullptr, &preview);
}

std::vector<Call<S>> OfPreviews() {
  return {
      {"ebcache_preview_open", OpenPreviewByPath, -ENOENT},
      {"ebcache_preview_open_devices",
       [](S& s) { return WithPreview(s, [](ebcache_preview*) { return 0; }); }},
      {"ebcache_preview_close", [](S&) { return ebcache_preview_close(nullptr); }},
      {"ebcache_preview_filesystem", [](S& s) { return WithPreview(s, OpenOfPreview); }},
      {"ebcache_preview_changed_bytes",
       [](S& s) {
         return WithPreview(s, [](ebcache_preview* preview) {
           return ebcache_preview_changed_bytes(preview) == 0 ? 0 : -EPROTO;
         });
       }},
      {"ebcache_preview_apply",
       [](S& s) {
         return WithPreview(
             s, [](ebcache_preview* preview) { return ebcache_preview_apply(preview); });
       }},
  };
}

std::vector<Call<S>> OfSessions() {
  return {
      {"ebcache_session_open", [](S& s) { return OpenSession(s, false); }},
      {"ebcache_session_open", [](S& s) { return OpenSession(s, true); }},
      {"ebcache_session_close", [](S& s) { return ebcache_session_close(s.session); }, -EBUSY},
      {"ebcache_session_free_bytes",
       [](S& s) { return ebcache_session_free_bytes(s.session) > 0 ? 0 : -EPROTO; }},
      {"ebcache_view_open", OpenView},
      {"ebcache_view_close",
       [](S& s) {
         ebcache_view_close(s.view);
         s.view = nullptr;
         return 0;
       }},
      {"ebcache_view_generation",
       [](S& s) { return ebcache_view_generation(s.view) > 0 ? 0 : -EPROTO; }},
      {"ebcache_view_tree",
       [](S& s) {
         ebcache_tree* tree;
         const int error = ebcache_view_tree(s.view, FILES, &tree);
         return CloseTree(error, tree);
       }},
  };
}

std::vector<Call<S>> OfTransactions() {
  return {
      {"ebcache_transaction_begin", Begin},
      {"ebcache_transaction_close",
       [](S& s) {
         s.CloseTransaction();
         return 0;
       }},
      {"ebcache_transaction_commit", Commit},
      {"ebcache_transaction_abort", [](S& s) { return ebcache_transaction_abort(s.transaction); }},
      {"ebcache_transaction_stage",
       [](S& s) { return static_cast<int>(ebcache_transaction_stage(s.transaction)); }},
      {"ebcache_transaction_stage_name",
       [](S&) { return *ebcache_transaction_stage_name(EBCACHE_STAGE_OPEN) == 'o' ? 0 : -EPROTO; }},
      {"ebcache_transaction_check", [](S& s) { return ebcache_transaction_check(s.transaction); }},
      {"ebcache_transaction_generation",
       [](S& s) { return ebcache_transaction_generation(s.transaction) > 0 ? 0 : -EPROTO; }},
      {"ebcache_transaction_counts",
       [](S& s) {
         auto counts = Sized<struct ebcache_transaction_counts>();
         return ebcache_transaction_counts(s.transaction, &counts);
       }},
      {"ebcache_transaction_tree",
       [](S& s) {
         ebcache_tree* tree;
         const int error = ebcache_transaction_tree(s.transaction, FILES, &tree);
         return CloseTree(error, tree);
       }},
  };
}

std::vector<Call<S>> OfChanges() {
  return {
      {"ebcache_transaction_insert", [](S& s) { return Insert(s, 3, 100); }},
      {"ebcache_transaction_insert", [](S& s) { return Insert(s, 1, 100); }, -EEXIST},
      {"ebcache_transaction_replace", [](S& s) { return Replace(s, 1); }},
      {"ebcache_transaction_remove",
       [](S& s) {
         const sample_item item = make_sample_item(1, 0, 0);
         return ebcache_transaction_remove(s.transaction, FILES, &item.key);
       }},
      {"ebcache_transaction_remove_range",
       [](S& s) {
         const ebcache_key from{.objectid = 300, .offset = 0, .type = 0};
         const ebcache_key to{.objectid = 400, .offset = 0, .type = 0};
         return ebcache_transaction_remove_range(s.transaction, FILES, &from, &to, nullptr);
       }},
      {"ebcache_transaction_change_reference", ChangeReference},
      {"ebcache_transaction_create_tree",
       [](S& s) { return ebcache_transaction_create_tree(s.transaction, 300, nullptr); }},
      {"ebcache_transaction_drop_tree",
       [](S& s) {
         const int error = ebcache_transaction_create_tree(s.transaction, 301, nullptr);
         return error != 0 ? error : ebcache_transaction_drop_tree(s.transaction, 301);
       }},
      {"ebcache_transaction_set_space_form",
       [](S& s) {
         return ebcache_transaction_set_space_form(s.transaction, EBCACHE_FREE_SPACE_TREE, 0);
       },
       1},
      {"ebcache_transaction_set_space_form",
       [](S& s) {
         return ebcache_transaction_set_space_form(s.transaction, EBCACHE_BLOCK_GROUP_TREE, 1);
       },
       1},
      {"ebcache_transaction_set_fsid",
       [](S& s) { return ebcache_transaction_set_fsid(s.transaction, "sixteen bytes it"); }},
      {"ebcache_transaction_rewrite",
       [](S& s) {
         ebcache_key next{};
         return ebcache_transaction_rewrite(s.transaction, FILES, nullptr, 2, &next);
       },
       1},
      {"ebcache_transaction_make_chunk", MakeChunk},
      {"ebcache_transaction_set_label",
       [](S& s) { return ebcache_transaction_set_label(s.transaction, "out of memory"); }},
  };
}

}  // namespace

std::vector<Call<SessionStage>> SessionCalls() {
  std::vector<Call<SessionStage>> all;
  for (const auto& some : {OfSessions(), OfPreviews(), OfTransactions(), OfChanges()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::vector<Call<SessionStage>> UndoCalls() {
  return {{"ebcache_session_settle", Settle}, {"ebcache_transaction_commit", Commit}};
}

std::vector<Call<SessionStage>> ClosedUndoCalls() {
  return {{"ebcache_undo", UndoByPath, -ENOENT}, {"ebcache_undo_devices", Undo}};
}

}  // namespace ebcache
