/* A file system that misbehaves, for one folder: preloaded (LD_PRELOAD) into the processes of a test.
 *
 * FAULTS_DIR       only paths below it are affected
 * FAULTS_EINTR     one in so many calls is interrupted: open, write, fsync, fdatasync, rename, link, unlink, mkdir, opendir
 * FAULTS_SPACE     bytes that can be written before ENOSPC; a write may be cut short by it
 * FAULTS_SYNC      the so-manieth fsync or fdatasync fails with EIO, once in this process
 * FAULTS_LATE      milliseconds until other processes' new files are seen: open and stat say ENOENT, listings leave them out
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static int below(const char *path) {
    const char *folder = getenv("FAULTS_DIR");
    return folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

/* The path of a descriptor, if it is below the folder. */
static int below_fd(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlink, link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

static atomic_ulong calls, syncs, written;

static int interrupted(void) {
    long every = number("FAULTS_EINTR");
    if (!every) return 0;
    /* A fixed but scrambled sequence, so that two calls in a row can be hit. */
    unsigned long call = atomic_fetch_add(&calls, 1) + 1;
    call = (call ^ (call >> 7)) * 0x9E3779B97F4A7C15UL;
    if ((call >> 33) % every) return 0;
    errno = EINTR;
    return 1;
}

/* Files that this process created itself: it sees them at once. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ino_t own[1 << 16];
static unsigned owned;

static void remember(ino_t inode) {
    pthread_mutex_lock(&lock);
    own[owned++ % (1 << 16)] = inode;
    pthread_mutex_unlock(&lock);
}

static int is_own(ino_t inode) {
    int found = 0;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < owned && i < (1 << 16) && !found; i++) found = own[i] == inode;
    pthread_mutex_unlock(&lock);
    return found;
}

/* Whether a file is another process's, and too young to be seen (by its birth, which a rename does not change). */
static int unseen(int folder, const char *path) {
    long late = number("FAULTS_LATE");
    struct statx status;
    if (!late || syscall(SYS_statx, folder, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_TYPE | STATX_BTIME, &status)) return 0;
    if (!S_ISREG(status.stx_mode) || !(status.stx_mask & STATX_BTIME)) return 0;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long age = (now.tv_sec - status.stx_btime.tv_sec) * 1000 + (now.tv_nsec - (long)status.stx_btime.tv_nsec) / 1000000;
    return age < late && !is_own(status.stx_ino);
}

static int open_it(int folder, const char *path, int flags, mode_t mode) {
    int ours = below(path);
    if (ours && interrupted()) return -1;
    if (ours && !(flags & O_CREAT) && unseen(folder, path)) {
        errno = ENOENT;
        return -1;
    }
    int fd = syscall(SYS_openat, folder, path, flags, mode);
    if (fd >= 0 && ours && (flags & O_CREAT)) {
        struct stat status;
        if (!syscall(SYS_fstat, fd, &status)) remember(status.st_ino);
    }
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, int); va_end(list); }

int open(const char *path, int flags, ...) { MODE(flags); return open_it(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags); return open_it(AT_FDCWD, path, flags | O_LARGEFILE, mode); }

int statx(int folder, const char *restrict path, int flags, unsigned mask, struct statx *restrict out) {
    if (below(path) && unseen(folder, path)) { errno = ENOENT; return -1; }
    return syscall(SYS_statx, folder, path, flags, mask, out);
}

struct dirent64 *readdir64(DIR *folder) {
    struct dirent64 *entry;
    int ours = below_fd(dirfd(folder));
    while ((entry = REAL(readdir64)(folder)))
        if (!ours || !unseen(dirfd(folder), entry->d_name)) return entry;
    return NULL;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (!below_fd(fd)) return syscall(SYS_write, fd, bytes, count);
    if (interrupted()) return -1;
    long space = number("FAULTS_SPACE");
    if (space) {
        unsigned long before = atomic_load(&written);
        if (before >= (unsigned long)space) { errno = ENOSPC; return -1; }
        if (count > space - before) count = space - before;
        atomic_fetch_add(&written, count);
    }
    return syscall(SYS_write, fd, bytes, count);
}

static int sync_it(long call, int fd) {
    if (!below_fd(fd)) return syscall(call, fd);
    if (interrupted()) return -1;
    long nth = number("FAULTS_SYNC");
    if (nth && atomic_fetch_add(&syncs, 1) + 1 == (unsigned long)nth) { errno = EIO; return -1; }
    return syscall(call, fd);
}
int fsync(int fd) { return sync_it(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_it(SYS_fdatasync, fd); }

int rename(const char *from, const char *to) { return below(from) && interrupted() ? -1 : REAL(rename)(from, to); }
int link(const char *from, const char *to) { return below(from) && interrupted() ? -1 : REAL(link)(from, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    return below(from) && interrupted() ? -1 : REAL(linkat)(a, from, b, to, flags);
}
int unlink(const char *path) { return below(path) && interrupted() ? -1 : REAL(unlink)(path); }
int mkdir(const char *path, mode_t mode) { return below(path) && interrupted() ? -1 : REAL(mkdir)(path, mode); }
DIR *opendir(const char *path) { return below(path) && interrupted() ? NULL : REAL(opendir)(path); }
