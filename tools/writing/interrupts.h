// HeldInterrupts: SIGINT and SIGTERM wait until work that writes has come to a good end.

#ifndef EBCACHE_TOOLS_WRITING_INTERRUPTS_H_
#define EBCACHE_TOOLS_WRITING_INTERRUPTS_H_

#include <signal.h>

namespace ebcache::tools {

// As long as one is there, these signals neither end the program nor interrupt a call: they are
// blocked, and looked for by what can stop. One that was ignored stays ignored.
//
// Thread safety: belongs to one thread. REQUIRES: made before threads that are to go on undisturbed,
// which take the mask over; one at a time.
class HeldInterrupts {
 public:
  HeldInterrupts();
  // Those that came are over with it.
  ~HeldInterrupts();
  HeldInterrupts(const HeldInterrupts&) = delete;
  HeldInterrupts& operator=(const HeldInterrupts&) = delete;

  // Whether one has come.
  bool pending() const;

 private:
  sigset_t held_;
  sigset_t before_;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_WRITING_INTERRUPTS_H_
