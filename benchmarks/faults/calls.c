/* Counts the calls that change files below one folder; at a chosen one it fails, or the process is killed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char root[PATH_MAX];
static long count, chosen;
static int fault; /* an errno, or -1 to be killed */
static long room = -1; /* bytes that the disk still takes; -1: any number */
static unsigned char watched[4096];

void faults_arm(const char *folder, long at, int what)
{
    strncpy(root, folder, sizeof root - 1);
    memset(watched, 0, sizeof watched);
    count = 0, chosen = at, fault = what, room = -1;
}

void faults_room(const char *folder, long bytes)
{
    faults_arm(folder, 0, 0);
    room = bytes;
}

long faults_count(void) { return count; }

static int below(const char *path)
{
    return root[0] && path && (path[0] != '/' || strncmp(path, root, strlen(root)) == 0);
}

static int open_below(int fd) { return root[0] && fd > 2 && fd < 4096 && watched[fd]; }

static int strikes(void)
{
    if (++count != chosen)
        return 0;
    if (fault < 0)
        kill(getpid(), SIGKILL);
    errno = fault;
    return 1;
}

/* How much of a write the disk takes; -1 and ENOSPC where it is full. */
static ssize_t taken(int fd, size_t size)
{
    if (room < 0 || !open_below(fd) || size == 0)
        return size;
    if (room == 0) {
        errno = ENOSPC;
        return -1;
    }
    ssize_t part = (size_t)room < size ? room : (ssize_t)size;
    room -= part;
    return part;
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

#define OPENER(name)                                                                          \
    int name(const char *path, int flags, ...)                                                \
    {                                                                                         \
        va_list rest;                                                                         \
        va_start(rest, flags);                                                                \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;             \
        va_end(rest);                                                                         \
        int ours = below(path);                                                               \
        if (ours && strikes())                                                                \
            return -1;                                                                        \
        int fd = REAL(name)(path, flags, mode);                                               \
        if (fd >= 0 && fd < 4096)                                                             \
            watched[fd] = ours;                                                               \
        return fd;                                                                            \
    }
OPENER(open)
OPENER(open64)

#define BY_PATH(name, declared, given)                                                        \
    int name declared                                                                         \
    {                                                                                         \
        return below(path) && strikes() ? -1 : REAL(name) given;                              \
    }
BY_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
BY_PATH(rmdir, (const char *path), (path))
BY_PATH(unlink, (const char *path), (path))
BY_PATH(rename, (const char *path, const char *to), (path, to))
BY_PATH(renameat, (int a, const char *path, int b, const char *to), (a, path, b, to))
BY_PATH(renameat2, (int a, const char *path, int b, const char *to, unsigned flags), (a, path, b, to, flags))

int unlinkat(int folder, const char *path, int flags)
{
    return (folder == AT_FDCWD ? below(path) : open_below(folder)) && strikes() ? -1 : REAL(unlinkat)(folder, path, flags);
}

#define BY_FD(type, name, declared, given)                                                    \
    type name declared                                                                        \
    {                                                                                         \
        return open_below(fd) && strikes() ? -1 : REAL(name) given;                           \
    }

ssize_t write(int fd, const void *data, size_t size)
{
    if (open_below(fd) && strikes())
        return -1;
    ssize_t part = taken(fd, size);
    return part < 0 ? -1 : REAL(write)(fd, data, part);
}

ssize_t writev(int fd, const struct iovec *data, int parts)
{
    if (open_below(fd) && strikes())
        return -1;
    size_t size = 0;
    for (int part = 0; part < parts; part++)
        size += data[part].iov_len;
    if (room >= 0 && open_below(fd) && (size_t)room < size)
        return parts ? write(fd, data[0].iov_base, data[0].iov_len) : 0;
    return taken(fd, size) < 0 ? -1 : REAL(writev)(fd, data, parts);
}

BY_FD(int, fsync, (int fd), (fd))
BY_FD(int, ftruncate, (int fd, off_t size), (fd, size))
BY_FD(int, ftruncate64, (int fd, off64_t size), (fd, size))

int dup(int fd)
{
    int other = REAL(dup)(fd);
    if (other >= 0 && other < 4096 && fd >= 0 && fd < 4096)
        watched[other] = watched[fd];
    return other;
}

size_t fwrite(const void *data, size_t size, size_t parts, FILE *file)
{
    int fd = fileno(file);
    if (open_below(fd) && strikes())
        return 0;
    if (room >= 0 && open_below(fd) && (size_t)room < size * parts) {
        room = 0, errno = ENOSPC;
        return 0;
    }
    return taken(fd, size * parts) < 0 ? 0 : REAL(fwrite)(data, size, parts, file);
}

int close(int fd)
{
    if (fd >= 0 && fd < 4096)
        watched[fd] = 0;
    return REAL(close)(fd);
}
