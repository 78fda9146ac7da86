// What a lock guards, and what holds it: read by clang's thread-safety analysis in the build of
// configuration `thread_safety` (docs/races.md); nothing to any other compiler.
//
// The names are the analysis's own, with a prefix.

#ifndef EBCACHE_INTERNAL_THREAD_ANNOTATIONS_H_
#define EBCACHE_INTERNAL_THREAD_ANNOTATIONS_H_

#if defined(__clang__)
#define EBCACHE_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define EBCACHE_THREAD_ANNOTATION(x)
#endif

// Of a class: a lock.
#define EBCACHE_CAPABILITY(name) EBCACHE_THREAD_ANNOTATION(capability(name))
// Of a class: an object that has a lock while it lives.
#define EBCACHE_SCOPED_CAPABILITY EBCACHE_THREAD_ANNOTATION(scoped_lockable)

// Of a member: only with this lock held.
#define EBCACHE_GUARDED_BY(mutex) EBCACHE_THREAD_ANNOTATION(guarded_by(mutex))
// Of what a member points to: only with this lock held.
#define EBCACHE_PT_GUARDED_BY(mutex) EBCACHE_THREAD_ANNOTATION(pt_guarded_by(mutex))

// Of a function: called with these locks held.
#define EBCACHE_REQUIRES(...) EBCACHE_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
// Of a function: called with none of these locks held.
#define EBCACHE_EXCLUDES(...) EBCACHE_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

// Of a function: takes a lock.
#define EBCACHE_ACQUIRE(...) EBCACHE_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
// Of a function: gives a lock back.
#define EBCACHE_RELEASE(...) EBCACHE_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
// Of a function: takes a lock when it returns the value.
#define EBCACHE_TRY_ACQUIRE(...) EBCACHE_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))

// Of a function: the analysis cannot see that the lock is held; a comment says why it is.
#define EBCACHE_ASSERT_CAPABILITY(x) EBCACHE_THREAD_ANNOTATION(assert_capability(x))
// Of a function: returns this lock.
#define EBCACHE_RETURN_CAPABILITY(x) EBCACHE_THREAD_ANNOTATION(lock_returned(x))

// Of a function that the analysis leaves out; a comment says why.
#define EBCACHE_NO_THREAD_SAFETY_ANALYSIS EBCACHE_THREAD_ANNOTATION(no_thread_safety_analysis)

#endif  // EBCACHE_INTERNAL_THREAD_ANNOTATIONS_H_
