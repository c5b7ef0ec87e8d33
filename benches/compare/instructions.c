/* qemu-user plugin: counts the instructions that a single-threaded AArch64 program executes, by class and by symbol.
 * A count, not a time; the same on every machine.
 *
 *   gcc -O2 -shared -fPIC -o libinstructions.so instructions.c
 *   qemu-aarch64 -cpu cortex-a53 -plugin ./libinstructions.so,out=FILE -L /usr/aarch64-linux-gnu PROGRAM
 *
 * The few functions of the plugin interface (version 1) are declared here, since Debian ships no header. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *);
#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

enum class { DOT, MULTIPLY, VECTOR, MEMORY, BRANCH, OTHER, CLASSES };
static const char *const class_names[CLASSES] = {"dot", "multiply", "vector", "memory", "branch", "other"};
static uint64_t total, classes[CLASSES];
enum { SYMBOLS = 1 << 16 };
static struct symbol { const char *name; uint64_t count; } symbols[SYMBOLS];
static const char *out;

/* The encodings are those of the Arm Architecture Reference Manual, C4.1. */
static enum class classify(uint32_t word) {
    int dot_vector = (word & 0xbf20fc00) == 0x0e009400;
    int dot_element = (word & 0xbfc0f400) == 0x0f80e000;
    int long_multiply = (word & 0x9f20fc00) == 0x0e20c000 || (word & 0x9f20fc00) == 0x0e208000;
    if (dot_vector || dot_element) return DOT;
    if (long_multiply) return MULTIPLY;
    if ((word & 0x0a000000) == 0x08000000) return MEMORY;
    if ((word & 0x1c000000) == 0x14000000) return BRANCH;
    if ((word & 0x0e000000) == 0x0e000000) return VECTOR;
    return OTHER;
}

static struct symbol *find(const char *name) {
    uint32_t hash = 2166136261u;
    for (const char *c = name; *c; c++) hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (hash %= SYMBOLS; symbols[hash].name && strcmp(symbols[hash].name, name); hash = (hash + 1) % SYMBOLS) {}
    if (!symbols[hash].name) symbols[hash].name = strdup(name);
    return &symbols[hash];
}

/* One addition a block and class: exact, for a block is left early only by a fault. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    size_t count = qemu_plugin_tb_n_insns(block);
    uint64_t here[CLASSES] = {0};
    (void)id;
    for (size_t i = 0; i < count; i++) {
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(block, i)), sizeof word);
        here[classify(word)]++;
    }
    const char *name = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(block, 0));
    qemu_plugin_register_vcpu_tb_exec_inline(block, 0, &total, count);
    qemu_plugin_register_vcpu_tb_exec_inline(block, 0, &find(name ? name : "?")->count, count);
    for (int c = 0; c < CLASSES; c++)
        if (here[c]) qemu_plugin_register_vcpu_tb_exec_inline(block, 0, &classes[c], here[c]);
}

static void finished(qemu_plugin_id_t id, void *data) {
    FILE *file = out ? fopen(out, "w") : stderr;
    (void)id, (void)data;
    if (!file) return;
    fprintf(file, "total %llu\n", (unsigned long long)total);
    for (int c = 0; c < CLASSES; c++) fprintf(file, "%s %llu\n", class_names[c], (unsigned long long)classes[c]);
    for (int s = 0; s < SYMBOLS; s++)
        if (symbols[s].count) fprintf(file, "symbol:%s %llu\n", symbols[s].name, (unsigned long long)symbols[s].count);
    if (file != stderr) fclose(file);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++)
        if (!strncmp(argv[i], "out=", 4)) out = strdup(argv[i] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
