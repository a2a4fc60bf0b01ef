/*
 * Times the system calls that libvirt makes within a lookup, in libvirt's own process: preloaded, it stands in for
 * the C library's functions that make them, and for libvirt's lookup. lookup_calls.py
 * compiles it, and reads `times` and `calls`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <time.h>

enum { LOOKUP, CPUINFO_OPEN, CPUINFO_READ, CPUINFO_CLOSE, MODULES, BINARY, KVM, PARAMETERS, UNAME, KINDS };

uint64_t times[KINDS];
uint64_t calls[KINDS];
static __thread int within;
static __thread int cpuinfo = -1;

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void took(int kind, uint64_t start)
{
    times[kind] += now() - start;
    calls[kind]++;
}

#define REAL(type, name, ...)                                                                                \
    static type (*real)(__VA_ARGS__);                                                                        \
    if (!real && !(real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)))                                     \
        abort();

int open64(const char *path, int flags, mode_t mode)
{
    REAL(int, "open64", const char *, int, mode_t)
    uint64_t start = now();
    int result = real(path, flags, mode);

    if (within && strcmp(path, "/proc/cpuinfo") == 0) {
        took(CPUINFO_OPEN, start);
        cpuinfo = result;
    }
    return result;
}

ssize_t read(int file, void *buffer, size_t size)
{
    REAL(ssize_t, "read", int, void *, size_t)
    uint64_t start = now();
    ssize_t result = real(file, buffer, size);

    if (within && file == cpuinfo)
        took(CPUINFO_READ, start);
    return result;
}

int close(int file)
{
    REAL(int, "close", int)
    uint64_t start = now();
    int result = real(file);

    if (within && file == cpuinfo) {
        took(CPUINFO_CLOSE, start);
        cpuinfo = -1;
    }
    return result;
}

static int kind_of(const char *path)
{
    if (strncmp(path, "/sys/", 5) == 0)
        return PARAMETERS;
    if (strcmp(path, "/dev/kvm") == 0)
        return KVM;
    return strstr(path, "qemu-system") ? BINARY : MODULES;
}

int access(const char *path, int mode)
{
    REAL(int, "access", const char *, int)
    uint64_t start = now();
    int result = real(path, mode);

    if (within)
        took(kind_of(path), start);
    return result;
}

int stat64(const char *path, struct stat64 *status)
{
    REAL(int, "stat64", const char *, struct stat64 *)
    uint64_t start = now();
    int result = real(path, status);

    if (within)
        took(kind_of(path), start);
    return result;
}

int uname(struct utsname *name)
{
    REAL(int, "uname", struct utsname *)
    uint64_t start = now();
    int result = real(name);

    if (within)
        took(UNAME, start);
    return result;
}

static int is_driver(struct dl_phdr_info *info, size_t size, void *path)
{
    (void)size;
    if (!strstr(info->dlpi_name, "libvirt_driver_qemu.so"))
        return 0;
    *(const char **)path = info->dlpi_name;
    return 1;
}

/* libvirt's, in a driver that is loaded where RTLD_NEXT does not look. */
void *virQEMUCapsCacheLookup(void *cache, const char *binary)
{
    static void *(*real)(void *, const char *);
    uint64_t start;
    void *result;

    if (!real) {
        const char *path = NULL;
        void *driver = dl_iterate_phdr(is_driver, &path) ? dlopen(path, RTLD_NOLOAD | RTLD_LAZY) : NULL;

        if (!driver || !(real = (void *(*)(void *, const char *))dlsym(driver, "virQEMUCapsCacheLookup")))
            abort();
    }
    within = 1;
    start = now();
    result = real(cache, binary);
    took(LOOKUP, start);
    within = 0;
    return result;
}
