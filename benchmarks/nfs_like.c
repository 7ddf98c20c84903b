/* What a network file system does to its readers, for LD_PRELOAD: every call on a name takes a while, what was
   looked at stays as it was seen for some seconds (also that a file is not there), whatever other processes do
   meanwhile. A process sees its own changes at once; opening an existing file sees it as it is, as NFS promises.

       cc -shared -fPIC -O2 -o nfs_like.so nfs_like.c -ldl
       LD_PRELOAD=$PWD/nfs_like.so NFS_LIKE_ROOT=/tmp/night python kill_autorun.py --kills 20 --folder /tmp/night

   NFS_LIKE_ROOT: names below it are treated so. NFS_LIKE_CACHE_MS, NFS_LIKE_DELAY_MS: how long, at most. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 4096, LONGEST = 512 };
typedef struct { char name[LONGEST]; double until; int error; int follow; struct stat seen; } Slot;
static Slot slots[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread unsigned dice;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static double from_environment(const char *name, double otherwise) {
    const char *text = getenv(name);
    return text ? atof(text) : otherwise;
}

/* The whole name if it is below the root, else NULL. */
static const char *whole(int at, const char *path, char *buffer) {
    const char *root = getenv("NFS_LIKE_ROOT");
    if (!root || !path) return NULL;
    if (path[0] == '/') snprintf(buffer, LONGEST, "%s", path);
    else {
        char folder[LONGEST] = "";
        if (at == AT_FDCWD) { if (!getcwd(folder, sizeof folder)) return NULL; }
        else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", at);
            ssize_t n = readlink(link, folder, sizeof folder - 1);
            if (n < 0) return NULL;
            folder[n] = 0;
        }
        if (snprintf(buffer, LONGEST, "%s/%s", folder, path) >= LONGEST) return NULL;
    }
    return strncmp(buffer, root, strlen(root)) == 0 ? buffer : NULL;
}

static void delay(void) {
    if (!dice) dice = (unsigned)getpid() ^ (unsigned)(now_s() * 1e6);
    double ms = from_environment("NFS_LIKE_DELAY_MS", 2) * (rand_r(&dice) / (double)RAND_MAX);
    usleep((useconds_t)(ms * 1000));
}

static Slot *slot_of(const char *name, int follow) {
    unsigned hash = 5381 + follow;
    for (const char *each = name; *each; each++) hash = hash * 33 + (unsigned char)*each;
    return &slots[hash % SLOTS];
}

/* What this process changes it sees: forget all. */
static void forget(void) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < SLOTS; i++) slots[i].until = 0;
    pthread_mutex_unlock(&lock);
}

static int looked_up(const char *name, int follow, struct stat *out, int *result) {
    int found = 0;
    pthread_mutex_lock(&lock);
    Slot *slot = slot_of(name, follow);
    if (slot->until > now_s() && slot->follow == follow && strcmp(slot->name, name) == 0) {
        found = 1;
        errno = slot->error;
        *result = slot->error ? -1 : 0;
        if (!slot->error && out) *out = slot->seen;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void remember(const char *name, int follow, int error, const struct stat *seen) {
    if (error && error != ENOENT) return;
    pthread_mutex_lock(&lock);
    Slot *slot = slot_of(name, follow);
    snprintf(slot->name, LONGEST, "%s", name);
    slot->follow = follow;
    slot->error = error;
    if (seen) slot->seen = *seen;
    slot->until = now_s() + from_environment("NFS_LIKE_CACHE_MS", 1000) / 1000;
    pthread_mutex_unlock(&lock);
}

static int stat_at(int at, const char *path, struct stat *out, int flags) {
    static int (*real)(int, const char *, struct stat *, int);
    if (!real) real = dlsym(RTLD_NEXT, "fstatat");
    char buffer[LONGEST];
    const char *name = (flags & AT_EMPTY_PATH) ? NULL : whole(at, path, buffer);
    int follow = !(flags & AT_SYMLINK_NOFOLLOW), result;
    if (!name) return real(at, path, out, flags);
    if (looked_up(name, follow, out, &result)) return result;
    delay();
    result = real(at, path, out, flags);
    int error = result ? errno : 0;
    remember(name, follow, error, out);
    errno = error;
    return result;
}

int fstatat(int at, const char *path, struct stat *out, int flags) { return stat_at(at, path, out, flags); }
int fstatat64(int at, const char *path, struct stat64 *out, int flags) { return stat_at(at, path, (struct stat *)out, flags); }
int stat(const char *path, struct stat *out) { return stat_at(AT_FDCWD, path, out, 0); }
int stat64(const char *path, struct stat64 *out) { return stat_at(AT_FDCWD, path, (struct stat *)out, 0); }
int lstat(const char *path, struct stat *out) { return stat_at(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW); }
int lstat64(const char *path, struct stat64 *out) { return stat_at(AT_FDCWD, path, (struct stat *)out, AT_SYMLINK_NOFOLLOW); }

static int open_at(int at, const char *path, int flags, mode_t mode) {
    static int (*real)(int, const char *, int, ...);
    if (!real) real = dlsym(RTLD_NEXT, "openat");
    char buffer[LONGEST];
    const char *name = whole(at, path, buffer);
    int writes = (flags & (O_CREAT | O_WRONLY | O_RDWR | O_TRUNC)) != 0, result;
    if (!name) return real(at, path, flags, mode);
    if (writes) forget();
    else if (looked_up(name, 1, NULL, &result) && result) return -1;
    delay();
    result = real(at, path, flags, mode);
    if (result < 0 && !writes) { int error = errno; remember(name, 1, error, NULL); errno = error; }
    return result;
}

#define OPEN(function, at, before) \
    int function(before const char *path, int flags, ...) { \
        va_list more; va_start(more, flags); \
        mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(more, mode_t) : 0; \
        va_end(more); return open_at(at, path, flags, mode); }
#define COMMA_AT int at,
OPEN(open, AT_FDCWD, )
OPEN(open64, AT_FDCWD, )
OPEN(openat, at, COMMA_AT)
OPEN(openat64, at, COMMA_AT)

#define CHANGE(name, declared, given) \
    int name declared { \
        static int (*real) declared; \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        forget(); delay(); \
        return real given; }
CHANGE(rename, (const char *a, const char *b), (a, b))
CHANGE(unlink, (const char *a), (a))
CHANGE(unlinkat, (int at, const char *a, int flags), (at, a, flags))
CHANGE(mkdir, (const char *a, mode_t mode), (a, mode))
CHANGE(rmdir, (const char *a), (a))
CHANGE(symlink, (const char *a, const char *b), (a, b))
CHANGE(link, (const char *a, const char *b), (a, b))
CHANGE(renameat2, (int at, const char *a, int to, const char *b, unsigned flags), (at, a, to, b, flags))
CHANGE(utimensat, (int at, const char *a, const struct timespec times[2], int flags), (at, a, times, flags))
