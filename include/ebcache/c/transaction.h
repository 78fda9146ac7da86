/* The part of ebcache.h that is about changing a filesystem: sessions, transactions, views, undo.
 *
 *   struct ebcache_filesystem_options options = {.size = sizeof options, .writable = 1};
 *   ebcache_open(devices, 1, &options, &fs);
 *   ebcache_session_open(fs, NULL, &session);
 *   ebcache_transaction_begin(session, &transaction);
 *   error = ebcache_transaction_insert(transaction, 5, &key, data, bytes);
 *   if (error == 0) error = ebcache_transaction_commit(transaction, NULL, NULL);
 *   ebcache_transaction_close(transaction);
 *   ebcache_session_close(session);
 *   ebcache_close(fs);
 *
 * A transaction copies what it changes to places that are free, and only then writes superblocks
 * that lead there: a crash at any moment leaves the state before it, or the one after it.
 *
 * Nothing here knows what items of files mean. A caller that removes an item which refers to data
 * says so (ebcache_transaction_change_reference), or the data stays allocated.
 *
 * ERRORS, beside those of ebcache.h:
 *   -EINVAL           also a transaction that is over: committed, aborted, or unknown
 *   -EBUSY            another session or transaction is open; handles are left; or the call comes
 *                     from a callback, or another thread, while one on the session is under way
 *   -EPERM            must not be written as it is: the words say why
 *   -ECANCELED        an earlier error has ended the transaction, or it is not a refusal of the
 *                     change alone that is told now: only an abort works
 *   -ENOSPC           no room for blocks, or for a chunk
 *   -ESTALE           a tree of a transaction, or a path in it, from before the last change
 *   -ENOTRECOVERABLE  it is not known how a commit has ended: the filesystem is to be opened again
 *
 * WHAT ENDS A TRANSACTION: a change that is refused leaves it as it was. Others leave something
 * half done, and nothing but an abort works. Numbers do not tell them apart where a device of the
 * caller's may return any: ebcache_transaction_check does.
 *
 * THREADS: a session, its transactions, and trees and paths of these belong to one thread at a
 * time. Others may read the filesystem meanwhile. They see the last commit; what they have found
 * stays readable as long as they hold a view that they got before.
 *
 * Forks: a session stays the parent's. A child ends by _exit or exec, or closes nothing of it. */

#ifndef EBCACHE_C_TRANSACTION_H_
#define EBCACHE_C_TRANSACTION_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/base.h"
#include "ebcache/c/cache.h"
#include "ebcache/c/filesystem.h"
#include "ebcache/c/tree.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Sessions -------------------------------------------------------------------------------- */

/* What to do when an extent that a transaction makes has an item in the extent tree already. */
enum ebcache_existing_extent {
  EBCACHE_EXISTING_REFUSE = 0,  /* an error, which ends the transaction */
  EBCACHE_EXISTING_KEEP = 1,    /* references that are there already count once */
  EBCACHE_EXISTING_REPLACE = 2, /* the old item goes first, with every reference */
};

/* How a session goes about its changes, and which way back there is. */
struct ebcache_session_options {
  size_t size;
  /* A file to make, from which the state that the session began with can be brought back
   * (ebcache_undo) until it is settled. Nothing that this state reaches is overwritten meanwhile,
   * so that a session needs room for all that it changes. Not on the filesystem itself. Copied.
   * NULL: no way back. */
  const char* undo_file;
  /* How many bytes of changed blocks may wait in memory; more are written before the commit, to
   * places that are free. (default: a quarter of the cache's budget; never less than 64 blocks) */
  uint64_t most_unwritten_bytes;
  uint32_t existing_extents; /* of ebcache_existing_extent */
  /* Not 0: blocks beside the ways to what is changed are never read, as a repair wants it, and
   * nearly empty ones, which are legal, are not put together. */
  uint32_t leave_neighbours;
  /* Not 0: callers may change the trees that tell what is allocated and where (of extents, of block
   * groups, of free space, of chunks and devices), and root items. A transaction changes these
   * itself as it goes; a repair of them knows what it does. */
  uint32_t change_space_trees;
  /* Not 0: opens a filesystem that has a log, whose first commit drops it: what was synced and not
   * committed is lost. */
  uint32_t drop_log;
  /* How many commits in a row may change nothing but superblocks and what tells of space: a loop of
   * them pushes all backup roots out. (default: 3; EBCACHE_UNLIMITED) */
  uint64_t most_commits_without_progress;
  /* Threads on which ebcache_transaction_rewrite reads the leaves that come next; they call the
   * devices, too, and are gone when the transaction commits or ends. At most 1024. (default: 0, none) */
  uint64_t rewrite_threads;
};

/* Opens a session over a filesystem that is open for writing, and reads what is free. One at a
 * time. `options` may be NULL. ebcache_session_close gives it back. Errors: -E2BIG, those of
 * ebcache_read, and
 *   -EACCES      the filesystem is open for reading only
 *   -EBUSY       another session over it is open
 *   -EPERM       it must not be written as it is: a log (see drop_log), errors that a kernel has met
 *                in it, a balance, a device replacement or a relocation that is not ended
 *   -EOPNOTSUPP  what this cannot keep exact: simple quotas, raid stripe trees
 *   -EUCLEAN     what keeps its space is damaged
 *   -EEXIST      the undo file is there: of a session that was neither settled nor undone */
EBCACHE_API int ebcache_session_open(ebcache_filesystem* filesystem,
                                     const struct ebcache_session_options* options,
                                     ebcache_session** session);
/* An undo file stays. -EBUSY, and it stays open: handles of its transactions or views are left. */
EBCACHE_API int ebcache_session_close(ebcache_session* session);
/* Says that what the session has done is wanted: removes the undo file, and gives the space of the
 * state before it to later transactions. 0 where there is none. -EBUSY: a transaction is open. */
EBCACHE_API int ebcache_session_settle(ebcache_session* session);
/* Bytes that new blocks could be put in now; 0 for NULL. */
EBCACHE_API uint64_t ebcache_session_free_bytes(const ebcache_session* session);

/* ---- Views ----------------------------------------------------------------------------------- */

/* Holds the last commit, from any thread: nothing that it reaches is overwritten until
 * ebcache_view_close gives it back. A view belongs to one thread at a time. */
EBCACHE_API int ebcache_view_open(ebcache_session* session, ebcache_view** view);
EBCACHE_API void ebcache_view_close(ebcache_view* view);
/* Of its commit; 0 for NULL. */
EBCACHE_API uint64_t ebcache_view_generation(const ebcache_view* view);
/* As ebcache_tree_open, of this commit. Closed before the view: behind it, what is found in the tree
 * may be another block by then, which is an error. */
EBCACHE_API int ebcache_view_tree(ebcache_view* view, uint64_t id, ebcache_tree** tree);

/* ---- Transactions ---------------------------------------------------------------------------- */

/* Where a transaction is. In this order. */
enum ebcache_transaction_stage {
  EBCACHE_STAGE_OPEN = 0, /* changes are made in memory; blocks may be written to free places */
  EBCACHE_STAGE_TELLING_EXTENTS = 1,     /* what keeps the space is brought up to date */
  EBCACHE_STAGE_WRITING_BLOCKS = 2,      /* all copies of all blocks go to the devices */
  EBCACHE_STAGE_FLUSHING = 3,            /* the devices make them durable */
  EBCACHE_STAGE_WRITING_SUPERBLOCKS = 4, /* first copies first */
  EBCACHE_STAGE_COMMITTED = 5,           /* they are durable */
  EBCACHE_STAGE_ABORTED = 6,             /* nothing has happened */
  /* Superblocks were to be written, and no device has said that one was. */
  EBCACHE_STAGE_UNKNOWN = 7,
};
/* "open", "telling extents", ...; "" for what is none. Lives for ever. */
EBCACHE_API const char* ebcache_transaction_stage_name(uint32_t stage);

/* Begins a transaction. ebcache_transaction_close gives it back, before the session. Errors: those
 * of ebcache_read; -EBUSY, another one of the session is open; -ENOTRECOVERABLE, it is not known how
 * one has ended. */
EBCACHE_API int ebcache_transaction_begin(ebcache_session* session,
                                          ebcache_transaction** transaction);
/* Aborts one that is not over, and frees the handle. -EBUSY, and it stays: see above. */
EBCACHE_API int ebcache_transaction_close(ebcache_transaction* transaction);

/* A superblock that was not written though the commit has happened. */
struct ebcache_superblock_failure {
  size_t size;
  uint64_t offset;     /* on the device, in bytes */
  const char* device;  /* its name */
  const char* message; /* what the device has said; both valid during the call */
  int32_t error;       /* as the device's callback, or the system, has it */
};
/* Makes it durable. 0: it is. Else nothing has happened and the transaction is over, unless its
 * stage is EBCACHE_STAGE_UNKNOWN; the words name the stage that it came to. `tell` may be NULL: is
 * told, before this returns 0, of superblocks that were not written. Errors: those of the devices;
 * -EINVAL, it is over already; -ECANCELED, -ENOSPC; -EUCLEAN, the filesystem is damaged in what
 * tells of its space; -EPERM, there was no progress for too long (most_commits_without_progress).
 * After -EINVAL, -EPERM and -ECANCELED with the stage EBCACHE_STAGE_OPEN it is as it was. */
EBCACHE_API int ebcache_transaction_commit(
    ebcache_transaction* transaction,
    void (*tell)(void* context, const struct ebcache_superblock_failure* failure), void* context);
/* Nothing has happened. 0 also for one that is aborted already; -EINVAL for one that is committed,
 * or of which that is not known. */
EBCACHE_API int ebcache_transaction_abort(ebcache_transaction* transaction);

/* Of ebcache_transaction_stage; EBCACHE_STAGE_ABORTED for NULL. */
EBCACHE_API uint32_t ebcache_transaction_stage(const ebcache_transaction* transaction);
/* Whether changes can be made: 0; -EINVAL, it is over; -ECANCELED, only an abort works, and the
 * words say which error it was. */
EBCACHE_API int ebcache_transaction_check(const ebcache_transaction* transaction);
/* That its blocks have, and the filesystem when it is committed; 0 for NULL. */
EBCACHE_API uint64_t ebcache_transaction_generation(const ebcache_transaction* transaction);

/* What a transaction has done so far. */
struct ebcache_transaction_counts {
  size_t size;
  uint64_t blocks_copied;        /* each was put stale */
  uint64_t blocks_made;          /* that are no copies */
  uint64_t blocks_freed;         /* that were not copied */
  uint64_t blocks_recycled;      /* given the address of one that the cache still had */
  uint64_t blocks_written;       /* each in all of its copies */
  uint64_t blocks_written_early; /* of these, before the commit */
  uint64_t extents_told;         /* changes of the extent tree */
};
/* Fills in all of it that the caller's struct has room for. */
EBCACHE_API int ebcache_transaction_counts(const ebcache_transaction* transaction,
                                           struct ebcache_transaction_counts* counts);

/* A tree as the transaction has it now, for the functions of tree.h. Good until the next change, and
 * until the transaction is over: then it, and paths in it, answer -ESTALE, and are to be closed.
 * Errors: -ENOENT, those of ebcache_read, and of ebcache_transaction_check. */
EBCACHE_API int ebcache_transaction_tree(ebcache_transaction* transaction, uint64_t id,
                                         ebcache_tree** tree);

/* ---- Changes --------------------------------------------------------------------------------- */
/* Each may return what ebcache_transaction_check does, the errors of ebcache_read, -ENOSPC and
 * -ECANCELED; what refuses it, and leaves the transaction as it was, is said with it. */

/* Items. `data` is copied, may be a part of an item of the transaction's own trees, and NULL where
 * `bytes` is 0. Refused: -ENOENT (no such tree; no such item, for replace and remove), -EEXIST
 * (insert), -EINVAL (more than a leaf can hold; what the transaction itself keeps: see
 * change_space_trees). */
EBCACHE_API int ebcache_transaction_insert(ebcache_transaction* transaction, uint64_t tree,
                                           const struct ebcache_key* key, const void* data,
                                           size_t bytes);
EBCACHE_API int ebcache_transaction_replace(ebcache_transaction* transaction, uint64_t tree,
                                            const struct ebcache_key* key, const void* data,
                                            size_t bytes);
EBCACHE_API int ebcache_transaction_remove(ebcache_transaction* transaction, uint64_t tree,
                                           const struct ebcache_key* key);
/* Removes all items from `from` to `to`, both included (NULL: the first, the last). `removed` may be
 * NULL: how many there were, with an error 0. Where some are gone when it fails the transaction
 * ends, whatever the error. Refused: as ebcache_transaction_remove, but for no such item. */
EBCACHE_API int ebcache_transaction_remove_range(ebcache_transaction* transaction, uint64_t tree,
                                                 const struct ebcache_key* from,
                                                 const struct ebcache_key* to, uint64_t* removed);

/* A reference of a file to an extent of data. */
struct ebcache_data_reference {
  size_t size;
  uint64_t extent; /* logical */
  uint64_t bytes;  /* of the extent */
  uint64_t tree;
  uint64_t inode;
  uint64_t offset; /* of the item in the file, less where it begins in the extent */
};
/* Adds so many of it, or drops them (count below zero). When none is left of any kind the extent is
 * free, and its checksums go. What cannot be is found when the extent tree is told, and ends the
 * transaction then. Refused: -EINVAL (more than 2^32 - 1). */
EBCACHE_API int ebcache_transaction_change_reference(ebcache_transaction* transaction,
                                                     const struct ebcache_data_reference* reference,
                                                     int64_t count);

/* What a tree is made with. */
struct ebcache_new_tree {
  size_t size;
  /* The item of its root as it lies on disk, of 239 or 439 bytes; where the tree is and how large
   * is put in. NULL: all zero but that. Copied. */
  const void* root_item;
  size_t root_item_bytes;
  uint64_t key_offset; /* of the root item's key */
};
/* Makes a tree with an empty root. `how` may be NULL. Refused: -EEXIST, -E2BIG, -EUCLEAN (no root
 * item), -EINVAL (a tree that superblocks tell of, one of a relocation, and 0). */
EBCACHE_API int ebcache_transaction_create_tree(ebcache_transaction* transaction, uint64_t tree,
                                                const struct ebcache_new_tree* how);

/* Drops a tree: frees its blocks, but those that other trees have as well, and drops what it refers to,
 * data too; takes its root item away, and the orphan item of one that is being deleted. What names it
 * elsewhere is the caller's. Refused: -ENOENT; -EINVAL, a tree that superblocks tell of, or one that
 * tells of space (see change_space_trees). */
EBCACHE_API int ebcache_transaction_drop_tree(ebcache_transaction* transaction, uint64_t tree);

/* Copies blocks of a tree to new places, in the order of keys: those of the next `most` leaves from
 * `from` on (NULL: the first), and what leads to them. 1: there is more, from *next on, which may be
 * the same struct as `from`; 0: that was the end of the tree. Refused: -ENOENT; -EINVAL, for a most
 * of 0, too. */
EBCACHE_API int ebcache_transaction_rewrite(ebcache_transaction* transaction, uint64_t tree,
                                            const struct ebcache_key* from, uint64_t most,
                                            struct ebcache_key* next);

/* How a chunk lies on devices. */
enum ebcache_profile {
  EBCACHE_PROFILE_SINGLE = 0,
  EBCACHE_PROFILE_DUP = 1,
  EBCACHE_PROFILE_RAID0 = 2,
  EBCACHE_PROFILE_RAID1 = 3,
  EBCACHE_PROFILE_RAID1C3 = 4,
  EBCACHE_PROFILE_RAID1C4 = 5,
  EBCACHE_PROFILE_RAID10 = 6,
  EBCACHE_PROFILE_RAID5 = 7,
  EBCACHE_PROFILE_RAID6 = 8,
};
/* Bits of what a chunk is for, as on disk. */
enum ebcache_chunk_type {
  EBCACHE_CHUNK_DATA = 1,
  EBCACHE_CHUNK_SYSTEM = 2,
  EBCACHE_CHUNK_METADATA = 4,
};
/* A chunk that is wanted. */
struct ebcache_new_chunk {
  size_t size;
  uint64_t type;       /* one of ebcache_chunk_type; data and metadata where groups are mixed */
  uint64_t most_bytes; /* of the chunk (default: as large as a kernel makes it) */
  uint32_t profile;    /* of ebcache_profile */
};
/* A chunk that was made. */
struct ebcache_chunk {
  size_t size;
  uint64_t logical;
  uint64_t length;
  uint64_t type; /* with the bits of its profile, as on disk */
  uint32_t profile;
  uint32_t stripes; /* that it has on devices: ebcache_place says where */
};
/* Makes a chunk, with its block group, all of it free. `chunk` may be NULL. A transaction makes
 * chunks by itself when blocks run out of room. Refused: -ENOSPC, the devices have no room for it;
 * -EOPNOTSUPP, raid5 and raid6; -EINVAL, no type, or a profile whose feature the filesystem does not
 * have; -E2BIG. */
EBCACHE_API int ebcache_transaction_make_chunk(ebcache_transaction* transaction,
                                               const struct ebcache_new_chunk* wanted,
                                               struct ebcache_chunk* chunk);

/* Forms in which a filesystem may tell of its space. */
enum ebcache_space_form {
  EBCACHE_FREE_SPACE_TREE = 1,  /* what is free has a tree of its own */
  EBCACHE_BLOCK_GROUP_TREE = 2, /* and so have block groups; takes the other, and no-holes */
};
/* Has the filesystem go over to a form (`on` not 0), or back, with the feature in superblocks that says
 * so. 1: it does; 0: it was so already. A free space tree that is there but not valid is made anew.
 * Refused: -EINVAL, no form, or what stands against it, which the words name. */
EBCACHE_API int ebcache_transaction_set_space_form(ebcache_transaction* transaction, uint32_t form,
                                                   int on);

/* The UUID that the filesystem is known by, of 16 bytes, in superblocks alone: blocks keep what they
 * have. Refused: -EINVAL, all zero; -EPERM, a device is missing, or there are several and the session
 * has no undo file: a crash between the superblocks of two devices leaves devices of two UUIDs, from
 * which ebcache_undo alone leads back. */
EBCACHE_API int ebcache_transaction_set_fsid(ebcache_transaction* transaction, const void* fsid);

/* Label of the filesystem; copied. Refused: -EINVAL, longer than 255 bytes, or with a newline. */
EBCACHE_API int ebcache_transaction_set_label(ebcache_transaction* transaction, const char* label);

/* ---- The way back ---------------------------------------------------------------------------- */

/* Brings back the state that the session of this undo file began with, every copy of every
 * superblock, byte for byte, and removes the file. From whatever process, also after a crash. A crash
 * on the way leaves either state, and the file, so that it can be done again. REQUIRES: no filesystem
 * is open over these devices. Errors, and nothing was written: -ENOENT, -EUCLEAN (not an undo file);
 * -EINVAL (not the devices that it is about, all of them); -EPERM (something else has written since,
 * or a block of the old state was written over); -EBUSY (a device is in use). -EIO, the number of a
 * device of the caller's, -ENOMEM: some may be written, and it is to be done again. */
EBCACHE_API int ebcache_undo(const char* const* paths, size_t count, const char* undo_file);
/* The same, on devices of the caller's, with `write` and `flush`. None is closed. */
EBCACHE_API int ebcache_undo_devices(const struct ebcache_device* const* devices, size_t count,
                                     const char* undo_file);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_TRANSACTION_H_ */
