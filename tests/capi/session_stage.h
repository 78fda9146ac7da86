// What calls of sessions and transactions are made on, and what must still be true afterwards.

#ifndef EBCACHE_TESTS_CAPI_SESSION_STAGE_H_
#define EBCACHE_TESTS_CAPI_SESSION_STAGE_H_

#include <string>
#include <vector>

#include "tests/capi/cache_stage.h"

extern "C" {
#include "tests/capi/written_device.h"
}

namespace ebcache {

// How much of it there is.
enum class SessionShape {
  kOpen,    // a session, and a transaction in which one attribute is new
  kUndo,    // the same, and an undo file
  kClosed,  // an undo file of a session that has committed; nothing is open
};

// A filesystem on a device in memory, and what changes it.
class SessionStage {
 public:
  explicit SessionStage(SessionShape shape);
  ~SessionStage();
  SessionStage(const SessionStage&) = delete;
  SessionStage& operator=(const SessionStage&) = delete;

  // Ends what is open, and uses the session, or opens one: the next transaction commits, what it has
  // inserted is there, and nothing is left that would keep any of it from being closed. Ends the
  // stage.
  void ExpectSound();
  // Closes the transaction; that and all else that the session has, and the session.
  void CloseTransaction();
  void CloseSession();

  bool HasUndoFile() const;

  written_device device;
  ebcache_filesystem* filesystem = nullptr;
  ebcache_session* session = nullptr;
  ebcache_transaction* transaction = nullptr;
  ebcache_view* view = nullptr;
  std::string undo_file;  // a name; the file goes with the stage

 private:
  void Open();
};

std::vector<Call<SessionStage>> SessionCalls();
std::vector<Call<SessionStage>> UndoCalls();        // kUndo
std::vector<Call<SessionStage>> ClosedUndoCalls();  // kClosed

}  // namespace ebcache

#endif  // EBCACHE_TESTS_CAPI_SESSION_STAGE_H_
