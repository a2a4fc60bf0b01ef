/*
 * Counts what an unmodified libvirt does, from outside.
 *
 * Loaded before libvirt's QEMU driver (with LD_PRELOAD, or with dlopen and RTLD_GLOBAL), it stands in for the
 * functions named at the end of this file: the dynamic linker binds libvirt's own calls to ours, and ours
 * forward to libvirt's. Counters lie in the file that $QCAPS_SHIM_COUNTERS names, mapped and shared, so that
 * another process can read them while a daemon runs. qcaps/live/counting/shim.py describes the same layout in Python.
 *
 * Every thread counts for itself, so that the reader can tell one call from another that runs beside it.
 *
 * With the word `once` set, every thread keeps the capabilities that its first lookup found, and answers its
 * further lookups with them until the word changes: what libvirt would do if it looked up once per task and passed
 * the result on. The reader gives each call of libvirt's API a word of its own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    MAGIC = 0x71636170, /* "qcap" */
    SITES = 64,         /* places that look up; libvirt 9.0 has 16 */
    THREADS = 128,      /* beyond that, threads share the last place */
    NAME = 120,
};

enum counter {
    LOOKUPS, LOOKUP_NS, ANSWERED, FAILED, FORKS,
    PARSES, PARSE_NS, POSTPARSES, POSTPARSE_NS, VALIDATIONS, VALIDATE_NS, SAVES, SAVE_NS,
    COUNTERS,
};

typedef uint64_t word;

struct thread {
    word id;
    word counters[COUNTERS];
    word sites[SITES];
};

struct shared {
    word magic;
    word size;
    word once; /* written by the reader: 0, or the number of the call that is to look up once */
    word sites[SITES]; /* return addresses */
    struct thread threads[THREADS];
    char names[SITES][NAME]; /* of sites; last, so that what every lookup touches lies close together */
};

static struct shared unshared;
static struct shared *shared = &unshared;

static __thread struct thread *self;
static __thread const char *phase; /* where libvirt is, for sites without a symbol */

/* What the call in progress holds on to, when `once` is set. */
static __thread struct {
    word call; /* the value of `once` that it is held for */
    word cache;
    word capabilities;
    char *binary;
} held;

__attribute__((constructor)) static void map_counters(void)
{
    const char *path = getenv("QCAPS_SHIM_COUNTERS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    struct stat status;

    if (file >= 0) {
        if (fstat(file, &status) == 0 && (size_t)status.st_size >= sizeof(struct shared)) {
            void *map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            if (map != MAP_FAILED)
                shared = map;
        }
        close(file);
    }
    shared->size = sizeof(struct shared);
    shared->magic = MAGIC;
}

static word now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (word)time.tv_sec * 1000000000u + (word)time.tv_nsec;
}

static struct thread *claim_thread(void)
{
    word id = (word)gettid();

    for (int i = 0; i < THREADS - 1; i++) {
        word seen = 0;
        /* a thread that ended may have had our id: then its place is ours */
        if (__atomic_compare_exchange_n(&shared->threads[i].id, &seen, id, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
            seen == id)
            return &shared->threads[i];
    }
    return &shared->threads[THREADS - 1];
}

static void add(word *counter, word amount)
{
    __atomic_fetch_add(counter, amount, __ATOMIC_RELAXED); /* the last place has more than one writer */
}

static void count(enum counter which, word amount)
{
    if (!self)
        self = claim_thread();
    add(&self->counters[which], amount);
}

/*
 * What a place looks up for, by the function it lies in; the same in all releases. A static function of a stripped
 * library has no name: then the phase says it, and what is in no phase is a call of the API itself.
 */
static const char *role_of(void *address)
{
    static const char *const roles[][2] = {
        { "qemuDomainPostParseDataAlloc", "post-parse" },
        { "qemuValidateDomainDef", "validate domain" },
        { "qemuValidateDomainDeviceDef", "validate device" },
        { "virQEMUCapsCacheLookupCopy", "copy" },
        { "virQEMUCapsCacheLookupDefault", "API call" },
        { "virQEMUCapsGetDefaultVersion", "API call" },
        { "virQEMUCapsInit", "API call" },
    };
    Dl_info info;

    if (dladdr(address, &info) && info.dli_sname)
        for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
            if (strcmp(info.dli_sname, roles[i][0]) == 0)
                return roles[i][1];
    return phase ? phase : "API call";
}

static void count_site(void *address)
{
    for (int i = 0; i < SITES; i++) {
        word seen = __atomic_load_n(&shared->sites[i], __ATOMIC_RELAXED);
        if (!seen && __atomic_compare_exchange_n(&shared->sites[i], &seen, (word)address, 0, __ATOMIC_RELAXED,
                                                 __ATOMIC_RELAXED)) {
            snprintf(shared->names[i], NAME, "%s", role_of(address));
            seen = (word)address;
        }
        if (seen == (word)address) {
            add(&self->sites[i], 1);
            return;
        }
    }
}

/* libvirt's functions. Six words are passed on whatever a function takes: more than any of them does. */

#define PARAMETERS word a, word b, word c, word d, word e, word f
#define ARGUMENTS a, b, c, d, e, f
typedef word (*function)(PARAMETERS);

static int is_driver(struct dl_phdr_info *info, size_t size, void *path)
{
    const char *slash = strrchr(info->dlpi_name, '/');

    (void)size;
    if (strcmp(slash ? slash + 1 : info->dlpi_name, "libvirt_driver_qemu.so") != 0)
        return 0;
    *(const char **)path = info->dlpi_name;
    return 1;
}

static function find(const char *name, int in_driver)
{
    const char *object = "libvirt.so.0";
    void *handle = NULL;
    void *found = NULL;

    /* The driver is loaded by its path and seen by nobody else: RTLD_NEXT does not find it. */
    if (!in_driver || dl_iterate_phdr(is_driver, &object))
        handle = dlopen(object, RTLD_NOLOAD | RTLD_LAZY);
    if (handle)
        found = dlsym(handle, name);
    if (!found) {
        fprintf(stderr, "qcaps: %s: no function %s\n", object, name);
        abort();
    }
    return (function)found;
}

#define LIBVIRT 0
#define DRIVER 1
#define REAL(name, where)                                                                                    \
    static function real;                                                                                    \
    function libvirts = __atomic_load_n(&real, __ATOMIC_ACQUIRE);                                            \
    if (!libvirts) {                                                                                         \
        libvirts = find(#name, where);                                                                       \
        __atomic_store_n(&real, libvirts, __ATOMIC_RELEASE);                                                 \
    }

/* Forwards a phase of a task; counts it and its time. */
#define PHASE(name, label, counter)                                                                          \
    word name(PARAMETERS)                                                                                    \
    {                                                                                                        \
        REAL(name, LIBVIRT)                                                                                  \
        const char *outer = phase;                                                                           \
        word start = now();                                                                                  \
        word result;                                                                                         \
        phase = label;                                                                                       \
        result = libvirts(ARGUMENTS);                                                                        \
        phase = outer;                                                                                       \
        count(counter + 1, now() - start);                                                                   \
        count(counter, 1);                                                                                   \
        return result;                                                                                       \
    }

PHASE(virDomainDefPostParse, "post-parse", POSTPARSES)
PHASE(virDomainDefValidate, "validate", VALIDATIONS)
PHASE(virDomainDefSave, "save", SAVES)

word virFork(PARAMETERS)
{
    REAL(virFork, LIBVIRT)
    count(FORKS, 1);
    return libvirts(ARGUMENTS);
}

static void let_go(void)
{
    static function unref;

    if (!unref)
        unref = find("virObjectUnref", LIBVIRT);
    if (held.capabilities)
        unref(held.capabilities, 0, 0, 0, 0, 0);
    free(held.binary);
    held.call = 0;
    held.capabilities = 0;
    held.binary = NULL;
}

/* Parsing is post-parse where no function says more: a library may bind its own calls when it is linked. */
word virDomainDefParseNode(PARAMETERS)
{
    REAL(virDomainDefParseNode, LIBVIRT)
    const char *outer = phase;
    word start = now();
    word result;

    phase = "post-parse";
    result = libvirts(ARGUMENTS);
    phase = outer;
    count(PARSE_NS, now() - start);
    count(PARSES, 1);
    return result;
}

word virDomainDeviceDefParse(PARAMETERS)
{
    REAL(virDomainDeviceDefParse, LIBVIRT)
    const char *outer = phase;
    word result;

    phase = "post-parse";
    result = libvirts(ARGUMENTS);
    phase = outer;
    return result;
}

static word another_reference(word object)
{
    static function ref;

    if (!ref)
        ref = find("virObjectRef", LIBVIRT);
    return ref(object, 0, 0, 0, 0, 0);
}

static word held_for(word call, word cache, const char *binary)
{
    if (held.call != call)
        let_go();
    if (!call || !held.capabilities || held.cache != cache || !binary || strcmp(held.binary, binary) != 0)
        return 0;
    return another_reference(held.capabilities);
}

static void hold(word call, word cache, const char *binary, word capabilities)
{
    if (held.capabilities || !capabilities || !binary || !(held.binary = strdup(binary)))
        return;
    held.call = call;
    held.cache = cache;
    held.capabilities = another_reference(capabilities);
}

static __thread int in_lookup;

/* Where libvirt asks. */
word virQEMUCapsCacheLookup(PARAMETERS)
{
    REAL(virQEMUCapsCacheLookup, DRIVER)
    word once = __atomic_load_n(&shared->once, __ATOMIC_RELAXED);
    word start = now();
    word result = once || held.capabilities ? held_for(once, a, (const char *)b) : 0;

    if (result) {
        count(ANSWERED, 1);
        return result;
    }
    in_lookup = 1;
    result = libvirts(ARGUMENTS);
    in_lookup = 0;
    count(LOOKUP_NS, now() - start);
    count_site(__builtin_return_address(0));
    if (once)
        hold(once, a, (const char *)b, result);
    return result;
}

/* A cache of libvirt's that is not of QEMU's capabilities: nbdkit's, by who asks, and by what is asked for. */
static int of_nbdkit(void *address, const char *program)
{
    const char *slash = program ? strrchr(program, '/') : NULL;
    Dl_info info;

    if (dladdr(address, &info) && info.dli_sname && strcmp(info.dli_sname, "qemuGetNbdkitCaps") == 0)
        return 1;
    return program && strcmp(slash ? slash + 1 : program, "nbdkit") == 0;
}

/* What it asks: seen even where the driver's calls to its own functions are bound when it is linked. */
word virFileCacheLookup(PARAMETERS)
{
    REAL(virFileCacheLookup, LIBVIRT)
    word start = in_lookup ? 0 : now();
    word result = libvirts(ARGUMENTS);

    if (!in_lookup && of_nbdkit(__builtin_return_address(0), (const char *)b))
        return result;
    if (start)
        count(LOOKUP_NS, now() - start);
    count(LOOKUPS, 1);
    if (!result)
        count(FAILED, 1);
    return result;
}
