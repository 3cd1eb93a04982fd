// SPDX-License-Identifier: Apache-2.0
//
// The thread pool: one parallel loop at a time. Workers spin for about half a millisecond after a loop, because the
// next one mostly follows within microseconds, then sleep on a condition variable. Chunks are claimed from a counter,
// and the caller waits only for workers that have joined its loop: a processor that is busy with something else delays
// one chunk at most.
#define _GNU_SOURCE
#include "internal.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() ((void)0)
#endif

enum {
    WORKER_SPIN_NS = 500 * 1000,  // before a worker sleeps
    CALLER_SPIN_NS = 50 * 1000,   // before the caller sleeps until the last worker has left
    PAUSES_PER_LOOK = 32,         // between two looks at the clock
};

/// `state` of the pool: the number of the loop in the upper half, below it these.
#define OPEN ((uint64_t)1 << 31)     // workers may join
#define WAITING ((uint64_t)1 << 30)  // the caller sleeps until the last worker has left
#define JOINED (WAITING - 1)         // how many workers are in the loop
#define NUMBER(state) ((uint32_t)((state) >> 32))

typedef void (*loop_body)(void *_Nullable context, size_t chunk);

static struct {
    pthread_mutex_t one_loop;  // held by the caller for the length of its loop; guards what follows
    pthread_t *handles;
    size_t workers;
    _Atomic size_t threads;  // the caller included; 0 until first asked

    pthread_mutex_t lock;  // for sleeping on the two conditions
    pthread_cond_t wake;   // a loop has begun, or workers shall end
    pthread_cond_t left;   // the last worker has left the loop
    _Atomic size_t sleepers;
    _Atomic bool ending;

    _Alignas(64) _Atomic uint64_t state;
    loop_body body;  // these three are written before OPEN is set, and read only by those that joined
    void *context;
    size_t chunks;
    _Alignas(64) _Atomic size_t next;  // the next chunk to claim
} pool = {
    .one_loop = PTHREAD_MUTEX_INITIALIZER,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
    .left = PTHREAD_COND_INITIALIZER,
};

/// Whether this thread is running a body: then a loop runs in place.
static _Thread_local bool inside;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void run_chunks(void) {
    inside = true;
    for (;;) {
        size_t chunk = atomic_fetch_add_explicit(&pool.next, 1, memory_order_relaxed);
        if (chunk >= pool.chunks) break;
        pool.body(pool.context, chunk);
    }
    inside = false;
}

// MARK: Workers

/// Joins the loop if it is open and not the one numbered `last`; the number of the loop joined, or `last`.
static uint32_t join_loop(uint32_t last) {
    uint64_t state = atomic_load_explicit(&pool.state, memory_order_acquire);
    while ((state & OPEN) && NUMBER(state) != last) {
        if (atomic_compare_exchange_weak(&pool.state, &state, state + 1)) return NUMBER(state);
    }
    return last;
}

static void leave_loop(void) {
    uint64_t before = atomic_fetch_sub(&pool.state, 1);
    if ((before & JOINED) == 1 && (before & WAITING)) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_signal(&pool.left);
        pthread_mutex_unlock(&pool.lock);
    }
}

/// Sleeps until there is a loop to join, or workers shall end.
static void sleep_until_loop(uint32_t last) {
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.sleepers, 1);
    for (;;) {
        uint64_t state = atomic_load(&pool.state);
        if (((state & OPEN) && NUMBER(state) != last) || atomic_load(&pool.ending)) break;
        pthread_cond_wait(&pool.wake, &pool.lock);
    }
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.lock);
}

static void *worker(void *unused) {
    uint32_t last = 0;
    uint64_t spin_until = now_ns() + WORKER_SPIN_NS;
    while (!atomic_load_explicit(&pool.ending, memory_order_relaxed)) {
        uint32_t joined = join_loop(last);
        if (joined != last) {
            last = joined;
            run_chunks();
            leave_loop();
            spin_until = now_ns() + WORKER_SPIN_NS;
            continue;
        }
        for (int i = 0; i < PAUSES_PER_LOOK; i++) {
            if (NUMBER(atomic_load_explicit(&pool.state, memory_order_relaxed)) != last) break;
            PAUSE();
        }
        if (now_ns() >= spin_until) {
            sleep_until_loop(last);
            spin_until = now_ns() + WORKER_SPIN_NS;
        }
    }
    return unused;
}

/// Starts the workers that are missing; with fewer than asked for the caller does their part.
static void start_workers(void) {
    size_t wanted = atomic_load(&pool.threads) - 1;
    if (pool.workers >= wanted) return;
    pthread_t *handles = realloc(pool.handles, wanted * sizeof(pthread_t));
    if (!handles) return;
    pool.handles = handles;
    while (pool.workers < wanted && pthread_create(&handles[pool.workers], NULL, worker, NULL) == 0) pool.workers++;
}

static void end_workers(void) {
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.ending, true);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    for (size_t i = 0; i < pool.workers; i++) pthread_join(pool.handles[i], NULL);
    pool.workers = 0;
    atomic_store(&pool.ending, false);
}

// MARK: The caller

/// The processors this process may use.
static size_t processors(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) return (size_t)CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

size_t k_threads(void) {
    size_t threads = atomic_load_explicit(&pool.threads, memory_order_relaxed);
    if (threads) return threads;
    size_t none = 0;
    atomic_compare_exchange_strong(&pool.threads, &none, processors());
    return atomic_load(&pool.threads);
}

void k_threads_set(size_t count) {
    pthread_mutex_lock(&pool.one_loop);
    if (pool.workers >= (count ? count : 1)) end_workers();
    atomic_store(&pool.threads, count ? count : 1);
    pthread_mutex_unlock(&pool.one_loop);
}

static void open_loop(void) {
    uint64_t number = NUMBER(atomic_load(&pool.state)) + (uint64_t)1;
    if ((uint32_t)number == 0) number = 1;  // 0 is the number of no loop
    atomic_store_explicit(&pool.next, 0, memory_order_relaxed);
    atomic_store(&pool.state, number << 32 | OPEN);
    if (atomic_load(&pool.sleepers)) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.lock);
    }
}

static void close_loop(void) {
    uint64_t state = atomic_fetch_and(&pool.state, ~OPEN);
    if (!(state & JOINED)) return;
    uint64_t spin_until = now_ns() + CALLER_SPIN_NS;
    do {
        for (int i = 0; i < PAUSES_PER_LOOK; i++) {
            if (!(atomic_load_explicit(&pool.state, memory_order_acquire) & JOINED)) return;
            PAUSE();
        }
    } while (now_ns() < spin_until);
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_or(&pool.state, WAITING);
    while (atomic_load(&pool.state) & JOINED) pthread_cond_wait(&pool.left, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}

void k_parallel_for(size_t chunks, loop_body body, void *context) {
    if (inside || chunks < 2 || k_threads() < 2) {
        for (size_t chunk = 0; chunk < chunks; chunk++) body(context, chunk);
        return;
    }
    pthread_mutex_lock(&pool.one_loop);
    start_workers();
    pool.body = body;
    pool.context = context;
    pool.chunks = chunks;
    open_loop();
    run_chunks();
    close_loop();
    pthread_mutex_unlock(&pool.one_loop);
}

// MARK: Scratch memory

enum { HUGE_PAGE = 2 << 20 };

typedef struct {
    void *memory[K_SCRATCH_KINDS];
    size_t bytes[K_SCRATCH_KINDS];
} scratch;

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void free_scratch(void *value) {
    scratch *s = value;
    for (int kind = 0; kind < K_SCRATCH_KINDS; kind++) free(s->memory[kind]);
    free(s);
}

static void make_scratch_key(void) { pthread_key_create(&scratch_key, free_scratch); }

static void *allocate(size_t size, size_t alignment) {
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, size) != 0) abort();
    return memory;
}

void *k_scratch(k_scratch_kind kind, size_t bytes) {
    pthread_once(&scratch_once, make_scratch_key);
    scratch *s = pthread_getspecific(scratch_key);
    if (!s) {
        s = calloc(1, sizeof(scratch));
        if (!s) abort();
        pthread_setspecific(scratch_key, s);
    }
    if (s->bytes[kind] >= bytes) return s->memory[kind];
    free(s->memory[kind]);
    bool large = bytes >= HUGE_PAGE / 2;
    size_t unit = large ? HUGE_PAGE : 4096;
    s->bytes[kind] = (bytes + unit - 1) / unit * unit;
    s->memory[kind] = allocate(s->bytes[kind], large ? HUGE_PAGE : 64);
#if defined(__linux__)
    if (large) madvise(s->memory[kind], s->bytes[kind], MADV_HUGEPAGE);  // a wish: the result does not matter
#endif
    return s->memory[kind];
}
