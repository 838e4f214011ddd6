/* A disk that breaks, to be preloaded into a process that writes to it.

   BREAKING_CALL   the call that breaks: fdatasync, fsync or pwrite64
   BREAKING_AFTER  how many such calls still succeed; every one after them fails
   BREAKING_ERROR  the number of the error that they fail with
   BREAKING_FILE   only files whose name ends like this are on that disk */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long calls;

static int on_that_disk(int file)
{
    const char *ending = getenv("BREAKING_FILE");
    char link[64], name[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, name, sizeof name);
    size_t tail = ending ? strlen(ending) : 0;
    return length >= (ssize_t)tail && memcmp(name + length - tail, ending ? ending : "", tail) == 0;
}

static int breaks(const char *call, int file)
{
    const char *broken = getenv("BREAKING_CALL");
    if (broken == NULL || strcmp(broken, call) != 0 || !on_that_disk(file))
        return 0;
    if (__sync_add_and_fetch(&calls, 1) <= atol(getenv("BREAKING_AFTER")))
        return 0;
    errno = atoi(getenv("BREAKING_ERROR"));
    return 1;
}

static void *real(const char *call)
{
    return dlsym(RTLD_NEXT, call);
}

int fdatasync(int file)
{
    return breaks("fdatasync", file) ? -1 : ((int (*)(int))real("fdatasync"))(file);
}

int fsync(int file)
{
    return breaks("fsync", file) ? -1 : ((int (*)(int))real("fsync"))(file);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t at)
{
    return breaks("pwrite64", file) ? -1 : ((ssize_t (*)(int, const void *, size_t, off64_t))real("pwrite64"))(file, data, length, at);
}
