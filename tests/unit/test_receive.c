/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The target's side of a migration, with a real process in the place of xl
 * and a fake of all that touches Xen: those definitions below whose names
 * begin with lxe_ stand for liblxe's own.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rpc_client.h"
#include "cpu_features.h"
#include "hello.h"
#include "host.h"
#include "journal.h"
#include "pack.h"
#include "receive.h"
#include "settle.h"
#include "synth_stream.h"
#include "unit.h"
#include "unpacker.h"
#include "xl_domain.h"

#define UUID  "11111111-2222-3333-4444-555555555555"
#define HELLO "{\"name\":\"web\",\"uuid\":\"" UUID "\",\"need_kib\":4096}\n"
#define INCOMING 7u

/* ---- the host ---- */

/* What a test sets, and sees afterwards. */
static struct {
    char dir[64], xl[96], journals[96], arrived[96], socket[96];
    bool no_host;
    uint64_t free_kib;
    const char *resident_name, *resident_uuid; /* of domain 3, */
    bool resident_dying;                       /* and what is left of it */
    bool nameless;         /* xl had not named it yet */
    bool unlisted;         /* xenstored does not answer once it is there */
    bool arrives_running;  /* xl had already started the guest, */
    uint64_t target_kib;   /* with that target */
    bool refuses_target;
    bool destroyed, destroy_fails;
    unsigned lists;        /* of domains, with all that xenstore tells */
    int hang_up;           /* closed when the domains are looked at; -1 */
    char logged[2048];
} t;

static bool exists(const char *path)
{
    return !access(path, F_OK);
}

/* dom0, one guest, and from when xl says so the one that comes in. */
static int list_domains(struct lxe_host *host, struct lxe_domain_list *out,
                        struct lxe_err *err)
{
    struct lxe_domain *doms = calloc(3, sizeof(*doms));

    (void)host;
    t.lists++;
    if (t.unlisted && exists(t.arrived)) {
        free(doms);
        return lxe_fail(err, -EIO, "xenstored does not answer");
    }
    if (t.hang_up >= 0)
        close(t.hang_up);
    t.hang_up = -1;
    doms[1].domid = 3;
    snprintf(doms[1].name, sizeof(doms[1].name), "%s", t.resident_name);
    snprintf(doms[1].uuid, sizeof(doms[1].uuid), "%s", t.resident_uuid);
    doms[1].dying = t.resident_dying;
    *out = (struct lxe_domain_list){ doms, 2 };
    if (exists(t.arrived) && !t.destroyed) {
        doms[2].domid = INCOMING;
        snprintf(doms[2].name, sizeof(doms[2].name), "%s",
                 t.nameless ? "" : "web--incoming");
        doms[2].target_kib = t.target_kib;
        doms[2].static_max_kib = 65536;
        snprintf(doms[2].uuid, sizeof(doms[2].uuid), UUID);
        doms[2].paused = !t.arrives_running;
        doms[2].migrating = doms[2].paused && !t.nameless;
        out->count = 3;
    }
    return 0;
}

static int memory(struct lxe_host *host, struct lxe_host_memory *out,
                  struct lxe_err *err)
{
    (void)host;
    (void)err;
    *out = (struct lxe_host_memory){ .total_kib = 1 << 20,
                                     .free_kib = t.free_kib };
    return 0;
}

/* In another process: so the test finds it in a file. */
static int set_target(struct lxe_host *host, uint32_t domid,
                      uint64_t target_kib, struct lxe_err *err)
{
    char path[128];
    FILE *f;

    (void)host;
    if (t.refuses_target)
        return lxe_fail(err, -EIO, "no target");
    snprintf(path, sizeof(path), "%s/target", t.dir);
    f = fopen(path, "a");
    fprintf(f, "%u %u\n", domid, (unsigned)target_kib);
    fclose(f);
    return 0;
}

static void close_host(struct lxe_host *host)
{
    (void)host;
}

int lxe_host_open(const char *name, struct lxe_host **out,
                  struct lxe_err *err)
{
    static const struct lxe_host_ops ops = {
        .name = "fake",
        .close = close_host,
        .list_domains = list_domains,
        .memory = memory,
        .set_target = set_target,
    };
    static struct lxe_host host = { &ops };

    CU_ASSERT_STRING_EQUAL(name, "xen");
    if (t.no_host)
        return lxe_fail(err, -EIO, "this is no dom0");
    *out = &host;
    return 0;
}

int lxe_xen_version(char text[LXE_XEN_VERSION], struct lxe_err *err)
{
    (void)err;
    snprintf(text, LXE_XEN_VERSION, "4.17.7");
    return 0;
}

int lxe_cpu_host(enum lxe_dom_type type, struct lxe_cpu_features *out,
                 struct lxe_err *err)
{
    (void)type;
    (void)out;
    return lxe_fail(err, -EIO, "no features");
}

int lxe_xl_open(struct lxe_xl **out, struct lxe_err *err)
{
    (void)err;
    *out = NULL;
    return 0;
}

void lxe_xl_close(struct lxe_xl *xl)
{
    (void)xl;
}

size_t lxe_xl_nics(struct lxe_xl *xl, uint32_t domid,
                   struct lxe_xl_nic nics[LXE_XL_NICS])
{
    (void)xl;
    (void)nics;
    CU_ASSERT_EQUAL(domid, INCOMING);
    return 0;
}

int lxe_xl_find(struct lxe_xl *xl, const char *uuid, uint32_t *domid,
                struct lxe_err *err)
{
    (void)xl;
    CU_ASSERT_STRING_EQUAL(uuid, UUID);
    if (!exists(t.arrived) || t.destroyed)
        return lxe_fail(err, -ESRCH, "no such domain");
    *domid = INCOMING;
    return 0;
}

int lxe_xl_destroy(struct lxe_xl *xl, uint32_t domid, struct lxe_err *err)
{
    (void)xl;
    CU_ASSERT_EQUAL(domid, INCOMING);
    t.destroyed = !t.destroy_fails;
    return t.destroy_fails ? lxe_fail(err, -EIO, "cannot destroy it") : 0;
}

/* Repair has these for a source, and none is repaired here. */
int lxe_xl_rename(struct lxe_xl *xl, uint32_t domid, const char *from,
                  const char *to, struct lxe_err *err)
{
    (void)xl;
    return lxe_fail(err, -ENOSYS, "%u from %s to %s", domid, from, to);
}

int lxe_xl_log_dirty_off(uint32_t domid, struct lxe_err *err)
{
    return lxe_fail(err, -ENOSYS, "%u", domid);
}

int lxe_xl_cancel_suspend(uint32_t domid, bool *was_pending,
                          struct lxe_err *err)
{
    *was_pending = false;
    return lxe_fail(err, -ENOSYS, "%u", domid);
}

/* ---- what it logs ---- */

static void __attribute__((format(printf, 5, 0)))
keep_message(struct xentoollog_logger *logger, xentoollog_level level,
             int errnoval, const char *context, const char *format,
             va_list al)
{
    size_t have = strlen(t.logged);

    (void)logger;
    (void)errnoval;
    (void)context;
    if (level < XTL_WARN)
        return;
    vsnprintf(t.logged + have, sizeof(t.logged) - have, format, al);
}

static void no_progress(struct xentoollog_logger *logger, const char *context,
                        const char *doing_what, int percent,
                        unsigned long done, unsigned long total)
{
    (void)logger;
    (void)context;
    (void)doing_what;
    (void)percent;
    (void)done;
    (void)total;
}

static struct xentoollog_logger logger = { keep_message, no_progress, NULL };

/* ---- one run ---- */

static void in_dir(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", t.dir, name);
}

static void begin(void)
{
    memset(&t, 0, sizeof(t));
    snprintf(t.dir, sizeof(t.dir), "/tmp/receive.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(t.dir));
    in_dir(t.xl, sizeof(t.xl), "xl");
    in_dir(t.journals, sizeof(t.journals), "journals");
    in_dir(t.arrived, sizeof(t.arrived), "arrived");
    in_dir(t.socket, sizeof(t.socket), "socket");
    setenv(LXE_RPC_SOCKET_ENV, t.socket, 1);
    t.free_kib = 8192;
    t.resident_name = "db";
    t.resident_uuid = "99999999-2222-3333-4444-555555555555";
    t.hang_up = -1;
    lxe_log_use("receive", &logger);
}

static void end(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", t.dir);
    CU_ASSERT_EQUAL(system(command), 0);
    lxe_log_close();
}

/* An xl that does this, in the test's directory: its arguments are in "ran",
 * as is what is journalled when it begins. */
static void write_xl(const char *script)
{
    FILE *f = fopen(t.xl, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fprintf(f, "#!/bin/sh\ncd '%s'\necho \"$*\" >ran\ncat journals/* >>ran\n"
            "%s\n", t.dir, script);
    fclose(f);
    chmod(t.xl, 0755);
}

static const char *read_file(const char *name)
{
    static char text[4096];
    char path[128];
    size_t n = 0;
    FILE *f;

    in_dir(path, sizeof(path), name);
    f = fopen(path, "r");
    if (f) {
        n = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
    }
    text[n] = '\0';
    return text;
}

static bool xl_ran(void)
{
    return *read_file("ran");
}

static unsigned journals(void)
{
    DIR *dir = opendir(t.journals);
    const struct dirent *e;
    unsigned n = 0;

    while (dir && (e = readdir(dir)))
        n += strstr(e->d_name, ".json") != NULL;
    if (dir)
        closedir(dir);
    return n;
}

struct exchange {
    int status;
    char said[8192]; /* by the receiver */
};

/* What a source does that has said all that it says. */
enum source { CLOSES, HANGS, HANGS_UP }; /* the last while it is answered */

static struct exchange receive_bytes(const void *source, size_t len,
                                     enum source then,
                                     struct mig_receive_config config)
{
    struct exchange x = { 0 };
    int in[2], out[2];
    ssize_t n;

    CU_ASSERT_EQUAL_FATAL(pipe2(in, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL_FATAL(pipe2(out, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL(write(in[1], source, len), (ssize_t)len);
    if (then != HANGS)
        close(in[1]);
    if (then == HANGS_UP)
        t.hang_up = out[0];
    config.xl = t.xl;
    config.journal_dir = t.journals;
    config.in_fd = in[0];
    config.out_fd = out[1];
    x.status = mig_receive_run(&config);
    if (then == HANGS)
        close(in[1]);
    close(in[0]);
    close(out[1]);
    if (then != HANGS_UP) {
        n = read(out[0], x.said, sizeof(x.said) - 1);
        x.said[n > 0 ? n : 0] = '\0';
        close(out[0]);
    }
    return x;
}

static struct exchange receive_with(const char *source, enum source then,
                                    struct mig_receive_config config)
{
    return receive_bytes(source, strlen(source), then, config);
}

static struct exchange receive(const char *source)
{
    return receive_with(source, CLOSES, (struct mig_receive_config){ 0 });
}

/* The answer to the hello; reads as a refusal where there is none. */
static struct mig_hello_answer answer_of(const struct exchange *x)
{
    struct mig_hello_answer a = { .refusal = "no answer" };
    char line[MIG_HELLO_MAX_LINE];
    const char *from = strchr(x->said, '\n');

    CU_ASSERT_EQUAL(strncmp(x->said, MIG_HELLO_GREETING "\n",
                            sizeof(MIG_HELLO_GREETING)), 0);
    if (!from || !from[1])
        return a;
    snprintf(line, sizeof(line), "%s", from + 1);
    line[strcspn(line, "\n")] = '\0';
    CU_ASSERT_EQUAL(mig_hello_parse_answer(line, &a, NULL), 0);
    return a;
}

/* Refused with these words, which the log has too, and before any xl. */
static void check_refused(const char *words)
{
    struct exchange x = receive(HELLO);
    struct mig_hello_answer a = answer_of(&x);

    CU_ASSERT_EQUAL(x.status, EXIT_FAILURE);
    CU_ASSERT_PTR_NOT_NULL(strstr(a.refusal, words));
    CU_ASSERT_PTR_NOT_NULL(strstr(t.logged, words));
    CU_ASSERT_FALSE(xl_ran());
    CU_ASSERT_EQUAL(journals(), 0);
}

/* ---- a guest that comes ---- */

static void test_received(void)
{
    struct exchange x;

    begin();
    write_xl("touch arrived");
    t.arrives_running = true;
    x = receive(HELLO);
    CU_ASSERT_EQUAL(x.status, 0);
    CU_ASSERT_STRING_EQUAL(answer_of(&x).refusal, "");
    CU_ASSERT_EQUAL(answer_of(&x).reserved_kib, 0); /* no daemon holds it */
    CU_ASSERT_EQUAL(strncmp(read_file("ran"), "migrate-receive\n", 16), 0);
    /* It was in the journal before xl began. */
    CU_ASSERT_PTR_NOT_NULL(strstr(read_file("ran"), UUID));
    CU_ASSERT_PTR_NOT_NULL(strstr(read_file("ran"), "receiving"));
    CU_ASSERT_EQUAL(journals(), 0);
    CU_ASSERT_FALSE(t.destroyed);
    CU_ASSERT_STRING_EQUAL(t.logged, "");
    end();
}

/* It may come after minutes: until then xenstored is left in peace. */
static void test_waits_quietly(void)
{
    begin();
    write_xl("sleep 0.6; touch arrived; while ! grep -q '\"domid\": *7'"
             " journals/*; do sleep 0.05; done");
    t.arrives_running = true;
    CU_ASSERT_EQUAL(receive(HELLO).status, 0);
    CU_ASSERT_EQUAL(t.lists, 1); /* when it was admitted */
    end();
}

static void test_debug(void)
{
    struct mig_receive_config config = { .debug = true };

    begin();
    write_xl("exit 0");
    CU_ASSERT_EQUAL(receive_with(HELLO, CLOSES, config).status, 0);
    CU_ASSERT_EQUAL(strncmp(read_file("ran"), "migrate-receive -d\n", 19), 0);
    end();
}

/* ---- what comes packed ---- */

#define PACKED_HELLO                                                          \
    "{\"name\":\"web\",\"uuid\":\"" UUID "\",\"need_kib\":4096,"              \
    "\"packed\":true}\n"
#define PLAIN "the pages of a guest, over and over and over and over and over"

static int append(void *data, const void *bytes, size_t len)
{
    synth_raw(data, bytes, len);
    return 0;
}

/* All that a source sends, from its hello on. */
static void put_packed_guest(struct synth *s)
{
    static const uint32_t xl[] = { 0x01020304, 3, 0, 4 }, context[] = { 1, 0 };
    struct iovec iov = { (void *)PLAIN, sizeof(PLAIN) };
    struct mig_pack *pack;

    synth_raw(s, PACKED_HELLO, sizeof(PACKED_HELLO) - 1);
    synth_raw(s, "Xen saved domain, xl format\n \0 \r", 32);
    synth_raw(s, xl, sizeof(xl));
    synth_raw(s, "{  }", 4);
    synth_raw(s, "LibxlFmt\0\0\0\2\0\0\0\0", 16);
    synth_raw(s, context, sizeof(context));
    CU_ASSERT_EQUAL_FATAL(mig_pack_open(1, 0, &pack, NULL), 0);
    CU_ASSERT_EQUAL(mig_pack_take(pack, &iov, 1, true, append, s), 0);
    mig_pack_free(pack);
    synth_raw(s, "go on", 5);
}

static void test_packed(void)
{
    struct mig_receive_config config = { 0 };
    struct synth s = { 0 };
    struct exchange x;

    begin();
    write_xl("tail -c +77 | tr '\\0' '.' >got; touch arrived");
    t.arrives_running = true;
    put_packed_guest(&s);
    x = receive_bytes(s.data, s.len, CLOSES, config);
    CU_ASSERT_EQUAL(x.status, 0);
    CU_ASSERT_TRUE(answer_of(&x).packed);
    CU_ASSERT_STRING_EQUAL(read_file("got"), PLAIN ".go on");
    end();
    synth_free(&s);
}

/* xl sees its end, fails, and what it made of it is removed. */
static void test_packed_and_damaged(void)
{
    struct mig_receive_config config = { 0 };
    struct synth s = { 0 };

    begin();
    t.resident_name = UUID; /* another, which is not to be found by it */
    write_xl("cat >got; touch arrived; kill -9 $$");
    put_packed_guest(&s);
    memset(s.data + s.len - 30, 0xff, 20);
    CU_ASSERT_NOT_EQUAL(receive_bytes(s.data, s.len, HANGS, config).status,
                        0);
    CU_ASSERT_TRUE(t.destroyed);
    end();
    synth_free(&s);
}

/* What ends our process group leaves xl alone: so it must leave this. As the
 * tests' alarm ends a wait in vain, no time limit is needed. */
static void test_unpacker_alone(void)
{
    struct mig_unpacker u;
    int fds[2];

    CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL_FATAL(mig_unpacker_start(fds[0], MIG_UNPACK_XL, &u, NULL),
                          0);
    while (getpgid(u.pid) == getpgrp())
        lxe_sleep_ns(LXE_NS_PER_MS);
    CU_ASSERT_EQUAL(getpgid(u.pid), u.pid);
    close(fds[1]);
    close(fds[0]);
    mig_unpacker_hand_over(&u);
    mig_unpacker_stop(&u);
}

/* ---- a daemon that holds memory ---- */

struct daemon {
    int listener;
    pthread_t thread;
    bool refuses;
    char asked[2048]; /* each request, a line each */
};

static void *serve(void *data)
{
    struct daemon *d = data;
    int fd;

    while ((fd = accept(d->listener, NULL, NULL)) >= 0) {
        FILE *in = fdopen(fd, "r");
        char line[1024];

        while (fgets(line, sizeof(line), in)) {
            struct lxe_json *tree = NULL;
            uint64_t id = 0;

            strncat(d->asked, line, sizeof(d->asked) - strlen(d->asked) - 1);
            CU_ASSERT_EQUAL(lxe_json_parse(line, strlen(line), &tree, NULL),
                            0);
            lxe_json_u64(lxe_json_get(tree, "id"), &id);
            lxe_json_free(tree);
            dprintf(fd, d->refuses
                    ? "{\"jsonrpc\":\"2.0\",\"id\":%u,\"error\":{\"code\":"
                      "-32004,\"message\":\"no room for it\"}}\n"
                    : "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":{\"id\":42}}"
                      "\n", (unsigned)id);
        }
        fclose(in);
    }
    return NULL;
}

static void begin_daemon(struct daemon *d, bool refuses)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    *d = (struct daemon){ .refuses = refuses };
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", t.socket);
    d->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(d->listener, (struct sockaddr *)&at,
                               sizeof(at)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(d->listener, 5), 0);
    pthread_create(&d->thread, NULL, serve, d);
}

static void end_daemon(struct daemon *d)
{
    shutdown(d->listener, SHUT_RDWR);
    pthread_join(d->thread, NULL);
    close(d->listener);
}

/* What is held becomes the guest's when it is there; xl waits for that. */
static void test_reserved(void)
{
    struct daemon d;
    struct exchange x;

    begin();
    begin_daemon(&d, false);
    t.free_kib = 0; /* the daemon makes room */
    write_xl("touch arrived; while ! grep -q '\"domid\": *7' journals/*;"
             " do sleep 0.05; done");
    t.arrives_running = true;
    x = receive(HELLO);
    end_daemon(&d);
    CU_ASSERT_EQUAL(x.status, 0);
    CU_ASSERT_EQUAL(answer_of(&x).reserved_kib, 4096);
    CU_ASSERT_PTR_NOT_NULL(strstr(d.asked, "mem.reserve"));
    CU_ASSERT_PTR_NOT_NULL(strstr(d.asked, "\"kib\":4096"));
    CU_ASSERT_PTR_NOT_NULL(strstr(d.asked, "\"domain\":\"web\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(d.asked, "mem.transfer"));
    CU_ASSERT_PTR_NOT_NULL(strstr(d.asked, "\"id\":42,\"domid\":7"));
    end();
}

/* A domain may be dying for long. A guest that it was comes back meanwhile;
 * here xl is killed, and what had come is not taken for the other. */
static void test_dying_twin(void)
{
    struct exchange x;

    begin();
    t.resident_name = "";
    t.resident_uuid = UUID;
    t.resident_dying = true;
    write_xl("touch arrived; kill -9 $$");
    x = receive(HELLO);
    CU_ASSERT_NOT_EQUAL(x.status, 0);
    CU_ASSERT_EQUAL(answer_of(&x).refusal[0], '\0');
    CU_ASSERT_TRUE(t.destroyed);
    end();
}

/* ---- a guest that may not come ---- */

static void test_refused(void)
{
    struct daemon d;

    begin();
    write_xl("exit 0");
    t.resident_name = "web";
    check_refused("domain 3 here already has its name or UUID");
    t.resident_name = "db";
    t.resident_uuid = UUID;
    check_refused("domain 3 here already has its name or UUID");
    t.resident_uuid = "";
    t.free_kib = 4095;
    check_refused("it needs 4 MiB");
    t.free_kib = 8192;
    t.no_host = true;
    check_refused("this is no dom0");
    t.no_host = false;
    begin_daemon(&d, true);
    check_refused("no room for it");
    end_daemon(&d);
    end();
}

/* What is wrong is named, to whoever reads our log; nothing is begun. */
static void check_bad(const char *source, const char *words)
{
    *t.logged = '\0';
    CU_ASSERT_EQUAL(receive(source).status, EXIT_FAILURE);
    CU_ASSERT_PTR_NOT_NULL(strstr(t.logged, words));
    CU_ASSERT_FALSE(xl_ran());
    CU_ASSERT_EQUAL(journals(), 0);
}

static void test_bad_hello(void)
{
    static char endless[2 * MIG_HELLO_MAX_LINE];

    begin();
    write_xl("exit 0");
    check_bad("hello\n", "hello");
    check_bad("{\"name\":\"web\",\"uuid\":\"" UUID "\"}\n", "need_kib");
    check_bad("{\"uuid\":\"" UUID "\",\"need_kib\":4096}\n", "name");
    check_bad("[1]\n", "hello");
    memset(endless, ' ', sizeof(endless) - 1);
    check_bad(endless, "too long");
    end();
}

/* ---- a source that goes away ---- */

static void test_source_closes(void)
{
    struct mig_receive_config config = { 0 };
    int in[2], out[2];

    begin();
    write_xl("exit 0");
    check_bad("", "ended before the source's hello");
    check_bad("{\"name\":\"we", "ended before the source's hello");
    /* While its hello is thought about: nobody hears the answer. */
    *t.logged = '\0';
    CU_ASSERT_EQUAL(receive_with(HELLO, HANGS_UP, config).status,
                    EXIT_FAILURE);
    CU_ASSERT_PTR_NOT_NULL(strstr(t.logged, "the source went away"));
    CU_ASSERT_FALSE(xl_ran());
    /* Before it heard that we are here. */
    *t.logged = '\0';
    CU_ASSERT_EQUAL_FATAL(pipe2(in, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL_FATAL(pipe2(out, O_CLOEXEC), 0);
    close(out[0]);
    config.in_fd = in[0];
    config.out_fd = out[1];
    CU_ASSERT_EQUAL(mig_receive_run(&config), EXIT_FAILURE);
    CU_ASSERT_PTR_NOT_NULL(strstr(t.logged, "cannot greet the source"));
    close(in[0]);
    close(in[1]);
    close(out[1]);
    end();
}

/* It neither sends nor closes: xl is ended, and what had come removed. */
static void test_source_hangs(void)
{
    struct mig_receive_config config = { .idle_ns = 500 * LXE_NS_PER_MS };

    begin();
    write_xl("touch arrived; exec sleep 1000");
    CU_ASSERT_EQUAL(receive_with(HELLO, HANGS, config).status, EXIT_FAILURE);
    CU_ASSERT_PTR_NOT_NULL(strstr(t.logged, "nothing came from the source"));
    CU_ASSERT_EQUAL(t.destroyed, exists(t.arrived));
    CU_ASSERT_EQUAL(journals(), 0);
    end();
}

/* A receiver in a process of its own, whose source has gone without a word. */
static pid_t start_forgotten(void)
{
    struct mig_receive_config config = { 0 };
    pid_t pid;

    write_xl("exec sleep 1000");
    fflush(stdout);
    pid = fork();
    if (!pid)
        _exit(receive_with(HELLO, HANGS, config).status);
    while (!strstr(read_file("ran"), "migrate-receive"))
        lxe_sleep_ns(10 * LXE_NS_PER_MS);
    return pid;
}

/* It ends before the guest is let in, else it would destroy that one. */
static void test_tried_again(void)
{
    struct exchange x;
    int status;
    pid_t pid;

    begin();
    pid = start_forgotten();
    CU_ASSERT_EQUAL(journals(), 1);
    write_xl("ls journals/*.json | wc -l >count; touch arrived");
    t.arrives_running = true;
    x = receive(HELLO);
    CU_ASSERT_EQUAL(x.status, 0);
    CU_ASSERT_STRING_EQUAL(answer_of(&x).refusal, "");
    CU_ASSERT_EQUAL(atoi(read_file("count")), 1); /* its own */
    CU_ASSERT_PTR_NOT_NULL(strstr(t.logged, "web comes once more"));
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status));
    CU_ASSERT_EQUAL(journals(), 0);
    end();
}

/* ---- a guest that came with less than it had ---- */

#define SMALL_HELLO                                                           \
    "{\"name\":\"web\",\"uuid\":\"" UUID "\",\"need_kib\":4096,"              \
    "\"target_kib\":4000}\n"

static void receive_small(const char *script, uint64_t target_kib)
{
    struct exchange x;

    write_xl(script);
    t.arrives_running = true;
    t.target_kib = target_kib;
    x = receive(SMALL_HELLO);
    CU_ASSERT_TRUE(answer_of(&x).gives_back);
    CU_ASSERT_PTR_NOT_NULL(strstr(read_file("ran"), "_kib\": 4000"));
}

/* By a process that goes on when we have ended, and is in the journal. */
static void test_gives_back(void)
{
    begin();
    receive_small("touch arrived", 2048);
    CU_ASSERT_EQUAL(journals(), 1);
    CU_ASSERT_TRUE(mig_settle_pending(t.journals, UUID));
    CU_ASSERT_FALSE(mig_settle_pending(t.journals, t.resident_uuid));
    CU_ASSERT_TRUE(wait(NULL) > 0);
    CU_ASSERT_STRING_EQUAL(read_file("target"), "7 4000\n");
    CU_ASSERT_EQUAL(journals(), 0);
    CU_ASSERT_FALSE(mig_settle_pending(t.journals, UUID));
    end();
}

/* xl was killed, but it runs. */
static void test_gives_back_anyway(void)
{
    begin();
    receive_small("touch arrived; kill -KILL $$", 2048);
    CU_ASSERT_TRUE(wait(NULL) > 0);
    CU_ASSERT_STRING_EQUAL(read_file("target"), "7 4000\n");
    CU_ASSERT_EQUAL(journals(), 0);
    end();
}

static void test_nothing_to_give_back(void)
{
    begin();
    receive_small("touch arrived", 4000);
    CU_ASSERT_TRUE(wait(NULL) > 0);
    CU_ASSERT_STRING_EQUAL(read_file("target"), "");
    CU_ASSERT_EQUAL(journals(), 0);
    end();
}

/* Nobody could take it over, so it is done at once. */
static void test_gives_back_at_once(void)
{
    begin();
    receive_small("touch arrived; chmod 777 journals", 2048);
    while (wait(NULL) > 0)
        ;
    CU_ASSERT_PTR_NOT_NULL(strstr(t.logged, "can be written by others"));
    CU_ASSERT_STRING_EQUAL(read_file("target"), "7 4000\n");
    end();
}

/* The journal stays for whoever repairs it; its process is dead. */
static void test_cannot_give_back(void)
{
    struct mig_journal_list list;

    begin();
    t.refuses_target = true;
    receive_small("touch arrived", 2048);
    CU_ASSERT_TRUE(wait(NULL) > 0);
    CU_ASSERT_EQUAL_FATAL(mig_journal_read_all(t.journals, &list, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(list.count, 1);
    CU_ASSERT_FALSE(mig_process_alive(&list.items[0].helper));
    CU_ASSERT_EQUAL(list.items[0].original_target_kib, 4000);
    mig_journal_list_free(&list);
    end();
}

/* ---- undo ---- */

/* xl destroys what it could not receive; one that is killed cannot. */
static void test_remains(void)
{
    begin();
    write_xl("touch arrived; kill -KILL $$");
    CU_ASSERT_EQUAL(receive(HELLO).status, EXIT_FAILURE);
    CU_ASSERT_TRUE(t.destroyed);
    CU_ASSERT_EQUAL(journals(), 0);
    end();
    begin();
    write_xl("touch arrived; exit 3");
    CU_ASSERT_EQUAL(receive(HELLO).status, 3);
    CU_ASSERT_TRUE(t.destroyed);
    CU_ASSERT_EQUAL(journals(), 0);
    end();
}

/* xl was killed before it named what it had made. */
static void test_nameless_remains(void)
{
    begin();
    write_xl("touch arrived; kill -KILL $$");
    t.nameless = true;
    CU_ASSERT_EQUAL(receive(HELLO).status, EXIT_FAILURE);
    CU_ASSERT_TRUE(t.destroyed);
    CU_ASSERT_EQUAL(journals(), 0);
    end();
}

/* Whoever repairs it later finds the journal. */
static void test_remains_unseen(void)
{
    begin();
    write_xl("touch arrived; kill -KILL $$");
    t.unlisted = true;
    CU_ASSERT_EQUAL(receive(HELLO).status, EXIT_FAILURE);
    CU_ASSERT_PTR_NOT_NULL(strstr(t.logged, "xenstored does not answer"));
    CU_ASSERT_FALSE(t.destroyed);
    CU_ASSERT_EQUAL(journals(), 1);
    end();
}

/* It had come so far that it may run: it is not ours to end. */
static void test_remains_that_run(void)
{
    begin();
    write_xl("touch arrived; kill -KILL $$");
    t.arrives_running = true;
    CU_ASSERT_EQUAL(receive(HELLO).status, EXIT_FAILURE);
    CU_ASSERT_FALSE(t.destroyed);
    end();
}

/* The journal stays for whoever repairs it later. */
static void test_remains_that_stay(void)
{
    begin();
    write_xl("touch arrived; kill -KILL $$");
    t.destroy_fails = true;
    CU_ASSERT_EQUAL(receive(HELLO).status, EXIT_FAILURE);
    CU_ASSERT_PTR_NOT_NULL(strstr(t.logged, "cannot destroy it"));
    CU_ASSERT_EQUAL(journals(), 1);
    end();
}

static void test_nothing_came(void)
{
    begin();
    write_xl("exit 5");
    CU_ASSERT_EQUAL(receive(HELLO).status, 5);
    CU_ASSERT_FALSE(t.destroyed);
    CU_ASSERT_EQUAL(journals(), 0);
    end();
}

static void test_no_xl(void)
{
    begin();
    CU_ASSERT_EQUAL(receive(HELLO).status, 127);
    CU_ASSERT_EQUAL(journals(), 0);
    end();
}

/* What is not in the journal could not be undone, so xl does not begin. */
static void test_no_journal(void)
{
    FILE *f;

    begin();
    write_xl("touch arrived");
    f = fopen(t.journals, "w"); /* no directory */
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fclose(f);
    CU_ASSERT_NOT_EQUAL(receive(HELLO).status, 0);
    CU_ASSERT_FALSE(xl_ran());
    CU_ASSERT_PTR_NOT_NULL(strstr(t.logged, t.journals));
    end();
}

/* ---- a source that only asks ---- */

static void test_probe(void)
{
    struct exchange x;

    begin();
    write_xl("exit 0");
    t.resident_name = "web";
    x = receive("{\"probe\":1,\"name\":\"web\",\"uuid\":\"" UUID "\"}\n");
    CU_ASSERT_EQUAL(x.status, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(x.said, "\"free_kib\":8192"));
    CU_ASSERT_PTR_NOT_NULL(strstr(x.said, "\"name_taken\":true"));
    CU_ASSERT_FALSE(xl_ran());
    CU_ASSERT_EQUAL(journals(), 0);
    end();
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "a guest is received", test_received },
        { "it is waited for quietly", test_waits_quietly },
        { "xl is told that it is verified", test_debug },
        { "packed", test_packed },
        { "packed, and damaged", test_packed_and_damaged },
        { "the unpacker leaves our group", test_unpacker_alone },
        { "memory is held for it", test_reserved },
        { "a dying domain has its UUID", test_dying_twin },
        { "refused, with the reason", test_refused },
        { "a bad hello is named", test_bad_hello },
        { "the source goes away", test_source_closes },
        { "the source hangs", test_source_hangs },
        { "its user tries again", test_tried_again },
        { "a guest gets back what it came without", test_gives_back },
        { "also where xl was killed", test_gives_back_anyway },
        { "a guest that has all", test_nothing_to_give_back },
        { "at once, where nobody else can", test_gives_back_at_once },
        { "a guest that cannot be given it", test_cannot_give_back },
        { "remains are removed", test_remains },
        { "also before they have a name", test_nameless_remains },
        { "what cannot be seen is in the journal", test_remains_unseen },
        { "but not a guest that may run", test_remains_that_run },
        { "remains that stay are in the journal", test_remains_that_stay },
        { "xl fails, and nothing came", test_nothing_came },
        { "no xl", test_no_xl },
        { "no journal, no guest", test_no_journal },
        { "the source only asks", test_probe },
    };

    signal(SIGPIPE, SIG_IGN);
    alarm(120); /* one that hangs is a failure too */
    return unit_run("receive", tests, sizeof(tests) / sizeof(tests[0]));
}
