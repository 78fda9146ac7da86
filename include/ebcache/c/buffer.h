/* The part of ebcache.h that is about a buffer: its bytes, and the writing of them. */

#ifndef EBCACHE_C_BUFFER_H_
#define EBCACHE_C_BUFFER_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- A buffer -------------------------------------------------------------------------------- */
/* `buffer` must not be NULL in this section, where nothing else is said. */

/* What ebcache_buffer_flags may tell. */
enum ebcache_buffer_flag {
  EBCACHE_BUFFER_UPTODATE = 1,
  EBCACHE_BUFFER_DIRTY = 2,
  EBCACHE_BUFFER_WRITEBACK = 4,
  EBCACHE_BUFFER_TREE_REF = 8, /* one of the references is the cache's */
  EBCACHE_BUFFER_STALE = 16,
  EBCACHE_BUFFER_UNMAPPED = 32, /* dummy or clone */
  EBCACHE_BUFFER_WRITE_ERR = 64,
  EBCACHE_BUFFER_READING = 256,
};
/* Logical address, and size, in bytes. */
EBCACHE_API uint64_t ebcache_buffer_start(const ebcache_buffer* buffer);
EBCACHE_API uint32_t ebcache_buffer_length(const ebcache_buffer* buffer);
/* As they were a moment ago: flags (others than those above may be set), and references. */
EBCACHE_API uint32_t ebcache_buffer_flags(const ebcache_buffer* buffer);
EBCACHE_API uint32_t ebcache_buffer_refs(const ebcache_buffer* buffer);
/* The copy, from 1, that it was read from; 0: not read. Sources that have copies set it in `read`.
 * -EINVAL for what is not from 0 to 255. */
EBCACHE_API int ebcache_buffer_mirror(const ebcache_buffer* buffer);
EBCACHE_API int ebcache_buffer_set_mirror(ebcache_buffer* buffer, int mirror);

/* All bytes of the block in one piece; NULL when they are not, and for NULL. */
EBCACHE_API const void* ebcache_data(const ebcache_buffer* buffer);
EBCACHE_API void* ebcache_mutable_data(ebcache_buffer* buffer);
/* Always: the address of the byte at `offset`, and how many from there on lie in one piece. 0 and
 * NULL at the end. */
EBCACHE_API size_t ebcache_piece(const ebcache_buffer* buffer, size_t offset, const void** piece);
EBCACHE_API size_t ebcache_mutable_piece(ebcache_buffer* buffer, size_t offset, void** piece);

/* Copies out of, and into, the block, in one piece or not. -ERANGE, and nothing is copied, when the
 * range leaves it; -EINVAL for NULL. The same errors down to ebcache_set_u64. */
EBCACHE_API int ebcache_copy_out(const ebcache_buffer* buffer, size_t offset, void* to,
                                 size_t length);
EBCACHE_API int ebcache_copy_in(ebcache_buffer* buffer, size_t offset, const void* from,
                                size_t length);
/* From one block to another, or within one, where the ranges may overlap. */
EBCACHE_API int ebcache_copy(ebcache_buffer* to, size_t to_offset, const ebcache_buffer* from,
                             size_t from_offset, size_t length);
EBCACHE_API int ebcache_zero(ebcache_buffer* buffer, size_t offset, size_t length);
/* *result is what memcmp would give. */
EBCACHE_API int ebcache_compare(const ebcache_buffer* buffer, size_t offset, const void* other,
                                size_t length, int* result);
/* Little-endian integers, at any offset. */
EBCACHE_API int ebcache_get_u8(const ebcache_buffer* buffer, size_t offset, uint8_t* value);
EBCACHE_API int ebcache_get_u16(const ebcache_buffer* buffer, size_t offset, uint16_t* value);
EBCACHE_API int ebcache_get_u32(const ebcache_buffer* buffer, size_t offset, uint32_t* value);
EBCACHE_API int ebcache_get_u64(const ebcache_buffer* buffer, size_t offset, uint64_t* value);
EBCACHE_API int ebcache_set_u8(ebcache_buffer* buffer, size_t offset, uint8_t value);
EBCACHE_API int ebcache_set_u16(ebcache_buffer* buffer, size_t offset, uint16_t value);
EBCACHE_API int ebcache_set_u32(ebcache_buffer* buffer, size_t offset, uint32_t value);
EBCACHE_API int ebcache_set_u64(ebcache_buffer* buffer, size_t offset, uint64_t value);

/* ---- Writing --------------------------------------------------------------------------------- */

/* Says that all bytes are in place, as the caller does that filled a new block. -EINVAL while it is
 * being read. This and the next are each one step: what may not be is refused, whatever other
 * threads do at the time. */
EBCACHE_API int ebcache_set_uptodate(ebcache_buffer* buffer);
/* The bytes are not those of the block: the next reader reads it again. -EINVAL while it is dirty, being
 * written (ebcache_give_up_write is for that) or being read, and for dummies and clones. No other
 * thread may use the bytes. */
EBCACHE_API int ebcache_clear_uptodate(ebcache_buffer* buffer);
/* The block must be written: it stays until it was, or is given up. -EINVAL for one that is not
 * uptodate, and for dummies and clones. */
EBCACHE_API int ebcache_set_dirty(ebcache_buffer* buffer);
/* The changes need not be written, as those of a block that COW has replaced. The bytes stay as
 * they are until the buffer goes. A write that is under way goes on, and if it fails the block is
 * dirty. */
EBCACHE_API int ebcache_clear_dirty(ebcache_buffer* buffer);
/* Writes a buffer that the caller holds, if it is dirty, or waits for its writer. After an
 * error it is dirty as before, and EBCACHE_BUFFER_WRITE_ERR: the bytes stay in memory, readers get
 * them, and the next call tries again. Errors: of the source, -ENXIO; -EDEADLK from a callback that
 * would wait for itself (struct ebcache_source). */
EBCACHE_API int ebcache_writeback(ebcache_cache* cache, ebcache_buffer* buffer);
/* Writes all that was dirty when the call began, by address, and waits for what others are writing.
 * 0: all of it is on disk, or was given up. Else the first error, after trying all: so a failure is
 * reported by every call until the block was written or given up. Errors: as ebcache_writeback.
 * Both: -EACCES for the cache of a filesystem, whose transactions write its blocks. */
EBCACHE_API int ebcache_writeback_all(ebcache_cache* cache);
/* The error of the last write of a buffer that is EBCACHE_BUFFER_WRITE_ERR; 0 for others. */
EBCACHE_API int ebcache_write_error(ebcache_cache* cache, ebcache_buffer* buffer);
/* Gives up what is dirty in a buffer, be it that its write failed, after waiting for one under way:
 * it is not uptodate any more, and the next reader gets what is on disk. 1; or 0 where there was
 * nothing to give up. No other thread may use the bytes. Errors: -EDEADLK, as ebcache_writeback. */
EBCACHE_API int ebcache_give_up_write(ebcache_cache* cache, ebcache_buffer* buffer);
/* The same for every buffer of the cache; how many had something to give up. 0 for NULL. Both, and
 * ebcache_reinit: nothing is done, -EBUSY or 0, while a session over the filesystem is open. */
EBCACHE_API uint64_t ebcache_give_up_writes(ebcache_cache* cache);
/* For a block that was freed and is allocated again at the same address: stale, dirty and the error
 * of an earlier write go, the first `header_bytes` are zeroed, and it is uptodate. Errors: -EINVAL
 * while it is being read or written, and for a buffer of another cache; -ERANGE. */
EBCACHE_API int ebcache_reinit(ebcache_cache* cache, ebcache_buffer* buffer, uint32_t header_bytes);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_BUFFER_H_ */
