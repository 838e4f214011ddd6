/* A driver's library for hosts without a GPU: what pynvml opens as libnvidia-ml.so.1, answering from a text file.
 *
 * The file is named by NVML_STATE and read anew at every call, so a test can let a GPU fall off the bus between two looks.
 * A line is "GPU KEY VALUE", the GPU a number, or "host" for what concerns all of them; the last line of a key counts.
 *
 *   host gpus 2          how many there are             0 uuid GPU-a     its name for ever
 *   host init 9          what opening the library says  0 error 15       what every question about it says
 *   host readonly 1      power limits cannot be set     0 watts 311000   milliwatts; "-" is "not supported"
 *   host driver 570.1    its version                    0 runs 42:1073741824:C,43:0:G   pid, bytes, computes or draws
 *   host hang 1          no answer while it says so     0 limit 300000   also written here when it is set
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FINE = 0, UNINITIALIZED = 1, INVALID = 2, UNSUPPORTED = 3, FORBIDDEN = 4, ABSENT = 6, TOO_SMALL = 7 };
enum { MOST = 16, WORD = 512 };
typedef unsigned int uint;
typedef unsigned long long ulong64;
typedef struct { int number; } Gpu;
typedef struct { char legacy[16]; uint domain, bus, device, id, subsystem; char full[32]; } Pci;
typedef struct { ulong64 total, unused, used; } Memory;
typedef struct { uint gpu, memory; } Use;
typedef struct { uint pid; ulong64 bytes; uint gpu_instance, compute_instance; } Program;

static Gpu gpus[MOST];
static int opened;

static int asked(const char *who, const char *key, char *value) {
    char line[WORD], name[32], field[32], rest[WORD];
    const char *path = getenv("NVML_STATE");
    FILE *file = path ? fopen(path, "r") : NULL;
    int found = 0;
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "%31s %31s %511[^\n]", name, field, rest) == 3 && !strcmp(name, who) && !strcmp(field, key)) {
            strcpy(value, rest);
            found = 1;
        }
    fclose(file);
    return found;
}

static ulong64 host(const char *key, ulong64 otherwise) {
    char value[WORD];
    return asked("host", key, value) ? strtoull(value, NULL, 10) : otherwise;
}

static int text(Gpu *gpu, const char *key, char *value) {
    char who[16];
    snprintf(who, sizeof who, "%d", gpu->number);
    return asked(who, key, value);
}

static int number(Gpu *gpu, const char *key, ulong64 otherwise, ulong64 *out) {
    char value[WORD];
    *out = otherwise;
    if (!text(gpu, key, value)) return FINE;
    if (!strcmp(value, "-")) return UNSUPPORTED;
    if (!strcmp(value, "!")) return FORBIDDEN;
    *out = strtoull(value, NULL, 10);
    return FINE;
}

static int well(Gpu *gpu) {
    ulong64 error;
    while (host("hang", 0)) usleep(10000);
    if (!opened) return UNINITIALIZED;
    if (gpu < gpus || gpu >= gpus + MOST) return INVALID;
    number(gpu, "error", FINE, &error);
    return (int)error;
}

static int give(Gpu *gpu, const char *key, ulong64 otherwise, uint *out) {
    ulong64 value = 0;
    int said = well(gpu);
    if (!said) said = number(gpu, key, otherwise, &value);
    *out = (uint)value;
    return said;
}

static int copy(const char *from, char *to, uint room) {
    if (strlen(from) >= room) return TOO_SMALL;
    strcpy(to, from);
    return FINE;
}

int nvmlInitWithFlags(uint flags) {
    int said = (int)host("init", FINE);
    (void)flags;
    if (!said) opened++;
    return said;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) {
    if (!opened) return UNINITIALIZED;
    opened--;
    return FINE;
}
const char *nvmlErrorString(int code) { return code == 999 ? "Unknown Error" : "an error of the driver"; }

int nvmlSystemGetDriverVersion(char *out, uint room) {
    char value[WORD];
    return copy(asked("host", "driver", value) ? value : "575.57.08", out, room);
}
int nvmlSystemGetProcessName(uint pid, char *out, uint room) {
    char path[64], name[WORD];
    snprintf(path, sizeof path, "/proc/%u/comm", pid);
    FILE *file = fopen(path, "r");
    if (!file) return ABSENT;
    if (!fgets(name, sizeof name, file)) name[0] = 0;
    fclose(file);
    name[strcspn(name, "\n")] = 0;
    return copy(name, out, room);
}

int nvmlDeviceGetCount_v2(uint *out) {
    *out = (uint)host("gpus", 1);
    return opened ? FINE : UNINITIALIZED;
}
int nvmlDeviceGetHandleByIndex_v2(uint index, Gpu **out) {
    if (!opened) return UNINITIALIZED;
    if (index >= host("gpus", 1) || index >= MOST) return INVALID;
    gpus[index].number = (int)index;
    *out = &gpus[index];
    return well(*out);
}
int nvmlDeviceGetUUID(Gpu *gpu, char *out, uint room) {
    char value[WORD];
    int said = well(gpu);
    if (said) return said;
    if (!text(gpu, "uuid", value)) snprintf(value, sizeof value, "GPU-%08d-0000-0000-0000-000000000000", gpu->number);
    return copy(value, out, room);
}
int nvmlDeviceGetHandleByUUID(const char *uuid, Gpu **out) {
    char value[96];
    int lost = FINE;
    for (uint index = 0; index < host("gpus", 1); index++) {
        int said = nvmlDeviceGetHandleByIndex_v2(index, out);
        if (said) lost = said;
        else if (!nvmlDeviceGetUUID(*out, value, sizeof value) && !strcmp(value, uuid)) return FINE;
    }
    return opened ? (lost ? lost : ABSENT) : UNINITIALIZED;
}
int nvmlDeviceGetName(Gpu *gpu, char *out, uint room) {
    char value[WORD];
    int said = well(gpu);
    return said ? said : copy(text(gpu, "name", value) ? value : "NVIDIA GeForce RTX 4090", out, room);
}
int nvmlDeviceGetPciInfo_v3(Gpu *gpu, Pci *out) {
    memset(out, 0, sizeof *out);
    out->id = 0x268410de;
    return well(gpu);
}
int nvmlDeviceGetMigMode(Gpu *gpu, uint *now, uint *next) {
    char value[WORD];
    *next = 0;
    return text(gpu, "mig", value) ? give(gpu, "mig", 0, now) : UNSUPPORTED;
}
int nvmlDeviceGetPowerUsage(Gpu *gpu, uint *out) { return give(gpu, "watts", 22000, out); }
int nvmlDeviceGetTemperature(Gpu *gpu, uint sensor, uint *out) { return sensor ? INVALID : give(gpu, "celsius", 35, out); }
int nvmlDeviceGetUtilizationRates(Gpu *gpu, Use *out) {
    out->memory = 0;
    return give(gpu, "busy", 0, &out->gpu);
}
int nvmlDeviceGetMemoryInfo(Gpu *gpu, Memory *out) {
    int said = well(gpu);
    if (!said) said = number(gpu, "memory", 25757220864ULL, &out->total);
    if (!said) said = number(gpu, "used", 0, &out->used);
    out->unused = out->total - out->used;
    return said;
}
int nvmlDeviceGetPowerManagementLimit(Gpu *gpu, uint *out) {
    return give(gpu, "limit", 450000, out);
}
int nvmlDeviceGetPowerManagementLimitConstraints(Gpu *gpu, uint *least, uint *most) {
    int said = give(gpu, "least", 150000, least);
    return said ? said : give(gpu, "most", 600000, most);
}
int nvmlDeviceSetPowerManagementLimit(Gpu *gpu, uint limit) {
    uint least, most;
    int said = nvmlDeviceGetPowerManagementLimitConstraints(gpu, &least, &most);
    if (said) return said;
    if (host("readonly", 0)) return FORBIDDEN;
    if (limit < least || limit > most) return INVALID;
    FILE *file = fopen(getenv("NVML_STATE"), "a");
    fprintf(file, "%d limit %u\n", gpu->number, limit);
    fclose(file);
    return FINE;
}

static int programs(Gpu *gpu, char kind, uint *count, Program *out) {
    char value[WORD] = "", *next = value, *each;
    uint room = *count, seen = 0;
    int said = well(gpu);
    if (said) return said;
    if (text(gpu, "runs", value) && !strcmp(value, "-")) return FORBIDDEN;
    while ((each = strsep(&next, ","))) {
        Program program = {0, 0, -1, -1};
        char what = 'C';
        if (sscanf(each, "%u:%llu:%c", &program.pid, &program.bytes, &what) < 2 || what != kind) continue;
        if (seen < room && out) out[seen] = program;
        seen++;
    }
    *count = seen;
    return seen > room || (seen && !out) ? TOO_SMALL : FINE;
}
int nvmlDeviceGetComputeRunningProcesses_v3(Gpu *gpu, uint *count, Program *out) { return programs(gpu, 'C', count, out); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(Gpu *gpu, uint *count, Program *out) { return programs(gpu, 'G', count, out); }
