// Static tracepoints: each step of a buffer's life as a place that bpftrace, perf, SystemTap and gdb find by
// name in a running program. What a step costs for it is one nop: where a tool listens it puts a trap there,
// and reads the arguments from where the note beside the code says that they are.
//
//   EBCACHE_TRACE(find, buffer);
//
// Arguments, of all of them: the block's address; references and flags (BufferFlag) of the state word as it is
// when the trap is met, which is before the step for put, put_stale, put_nocache and clear_dirty, and after it
// for the others. They are operands in memory, so that nothing is loaded for a tool that does not listen.
//
// Left out where the header is not there (Debian: systemtap-sdt-dev), where EBCACHE_NO_TRACEPOINTS is defined
// (./bazelw build --config=no_tracepoints), in the model, and under sanitizers, which would take the operands
// for accesses. Programs that are linked with --gc-sections need a linker that keeps what notes refer to, as
// ld.bfd does: docs/debugging.md.

#ifndef EBCACHE_LIB_CACHE_TRACEPOINTS_H_
#define EBCACHE_LIB_CACHE_TRACEPOINTS_H_

#include <cstdint>

#include "lib/cache/extent_buffer_access.h"

#if !defined(EBCACHE_NO_TRACEPOINTS) && !defined(EBCACHE_MODEL) && \
    !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) && !defined(EBCACHE_UBSAN)
#if defined(__has_include) && __has_include(<sys/sdt.h>)
#define EBCACHE_TRACEPOINTS 1
#endif
#endif

#if defined(EBCACHE_TRACEPOINTS)

// In memory alone: a register would have to be loaded.
#define STAP_SDT_ARG_CONSTRAINT m
#include <sys/sdt.h>

namespace ebcache {

// Half of a state word, as an operand that no instruction loads.
using TracedHalf [[gnu::may_alias]] = uint32_t;

}  // namespace ebcache

#define EBCACHE_TRACE(step, buffer)                                                      \
  STAP_PROBE3(ebcache, step, Inside(buffer).start_,                                      \
              reinterpret_cast<const ::ebcache::TracedHalf*>(&Inside(buffer).state_)[0], \
              reinterpret_cast<const ::ebcache::TracedHalf*>(&Inside(buffer).state_)[1])

#else

#define EBCACHE_TRACE(step, buffer) ((void)0)

#endif

#endif  // EBCACHE_LIB_CACHE_TRACEPOINTS_H_
