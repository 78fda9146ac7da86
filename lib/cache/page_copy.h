// CopyPages and PublishPages: whole pages to where they will lie from now on.
//
// What moves is idle, so no thread is about to read it: stores that go past the processor's caches
// spare it reading the destination first, which is a third of the traffic and of the time, and
// leave in the caches what is in use.

#ifndef EBCACHE_LIB_CACHE_PAGE_COPY_H_
#define EBCACHE_LIB_CACHE_PAGE_COPY_H_

#include <cstddef>
#include <cstring>

// The sanitizers do not see such stores, so under them it is an ordinary copy.
#if defined(__SSE2__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define EBCACHE_STREAMING_STORES 1
#include <emmintrin.h>
#else
#define EBCACHE_STREAMING_STORES 0
#endif

namespace ebcache {

// REQUIRES: both page-aligned, `bytes` a multiple of 4096, no overlap; PublishPages before another
// thread may look.
inline void CopyPages(std::byte* to, const std::byte* from, size_t bytes) {
#if EBCACHE_STREAMING_STORES
  auto* destination = reinterpret_cast<__m128i*>(to);
  const auto* source = reinterpret_cast<const __m128i*>(from);
  constexpr size_t kPerLine = 64 / sizeof(__m128i);
  static_assert(kPerLine == 4);
  for (const __m128i* end = source + bytes / sizeof(__m128i); source != end;
       source += kPerLine, destination += kPerLine) {
    const __m128i a = _mm_load_si128(source);
    const __m128i b = _mm_load_si128(source + 1);
    const __m128i c = _mm_load_si128(source + 2);
    const __m128i d = _mm_load_si128(source + 3);
    _mm_stream_si128(destination, a);
    _mm_stream_si128(destination + 1, b);
    _mm_stream_si128(destination + 2, c);
    _mm_stream_si128(destination + 3, d);
  }
#else
  std::memcpy(to, from, bytes);
#endif
}

// What was copied is there for a thread that synchronises with a release that the caller makes
// after this: streaming stores are not ordered by a release alone. It waits for memory, so it is
// called once a block.
inline void PublishPages() {
#if EBCACHE_STREAMING_STORES
  _mm_sfence();
#endif
}

}  // namespace ebcache

#undef EBCACHE_STREAMING_STORES

#endif  // EBCACHE_LIB_CACHE_PAGE_COPY_H_
