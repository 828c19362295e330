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
static unsigned char watched[4096];

void faults_arm(const char *folder, long at, int what)
{
    strncpy(root, folder, sizeof root - 1);
    memset(watched, 0, sizeof watched);
    count = 0, chosen = at, fault = what;
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
BY_FD(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
BY_FD(ssize_t, writev, (int fd, const struct iovec *data, int parts), (fd, data, parts))
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
    return open_below(fileno(file)) && strikes() ? 0 : REAL(fwrite)(data, size, parts, file);
}

int close(int fd)
{
    if (fd >= 0 && fd < 4096)
        watched[fd] = 0;
    return REAL(close)(fd);
}
