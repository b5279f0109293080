/* A PKCS#11 module that forwards to SoftHSM and fails on demand.

   The file `faults` in the folder of the tokens switches faults while signers run: lines of `name value`.

     login_status S      C_Login gives S and asks nobody
     lock_after N        after N wrong PINs in a row C_Login gives CKR_PIN_LOCKED
     sessions N          CKR_SESSION_COUNT when N sessions of living processes are open
     init_status S       C_SignInit gives S (a stale handle)
     init_swap 1         C_SignInit takes another key than it was told
     sign_after N        the next three spare the first N signatures of each process
     sign_status S       C_Sign gives S
     sign_wrong 1        C_Sign gives a wrong signature, and CKR_OK
     sign_crash 1        C_Sign ends in SIGSEGV
     sign_sleep M        C_Sign takes M milliseconds more
     connect P           C_Initialize opens a TCP connection to port P of this machine, or fails

   Beside it, `logins` grows by a byte for each C_Login. The folder is that of SOFTHSM2_CONF, plus `tokens`. */

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long CK;
enum { INITIALIZE = 0, OPEN_SESSION = 12, CLOSE_SESSION = 13, LOGIN = 18, FIND_OBJECTS = 27, SIGN_INIT = 42, SIGN = 43 };
struct list { unsigned char version[2]; void *functions[68]; };

static struct list ours, *softhsm;
static CK seen[64];
static int seen_count, signatures;

static const char *beside(const char *name) {
    static char path[4096];
    char conf[2048];
    snprintf(conf, sizeof conf, "%s", getenv("SOFTHSM2_CONF") ? getenv("SOFTHSM2_CONF") : "");
    snprintf(path, sizeof path, "%s/tokens/%s", dirname(conf), name);
    return path;
}

static CK fault(const char *wanted) {
    char line[128], name[64];
    CK value = 0, found;
    FILE *file = fopen(beside("faults"), "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "%63s %li", name, (long *)&found) == 2 && !strcmp(name, wanted)) value = found;
    fclose(file);
    return value;
}

static void append(const char *name) {
    int fd = open(beside(name), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd >= 0) { if (write(fd, ".", 1) != 1) abort(); close(fd); }
}

static long length(const char *name) {
    int fd = open(beside(name), O_RDONLY);
    long size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    if (fd >= 0) close(fd);
    return size;
}

static CK c_initialize(void *arguments) {
    CK port = fault("connect");
    if (port) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) return 0x30;
        if (write(fd, "hello", 5) != 5) return 0x30;
    }
    return ((CK (*)(void *))softhsm->functions[INITIALIZE])(arguments);
}

/* Sessions of living processes; a file each, named session-PID-HANDLE. */
static CK sessions_open(void) {
    CK count = 0;
    int pid;
    struct dirent *entry;
    DIR *folder = opendir(beside(""));
    while (folder && (entry = readdir(folder)))
        if (sscanf(entry->d_name, "session-%d-", &pid) == 1 && (kill(pid, 0) == 0 || errno != ESRCH)) count++;
    if (folder) closedir(folder);
    return count;
}

static CK c_open_session(CK slot, CK flags, void *app, void *notify, CK *session) {
    CK most = fault("sessions"), status;
    char name[64];
    if (most && sessions_open() >= most) return 0xB1;
    status = ((CK (*)(CK, CK, void *, void *, CK *))softhsm->functions[OPEN_SESSION])(slot, flags, app, notify, session);
    if (most && !status) { snprintf(name, sizeof name, "session-%d-%lu", getpid(), *session); append(name); }
    return status;
}

static CK c_close_session(CK session) {
    char name[64];
    snprintf(name, sizeof name, "session-%d-%lu", getpid(), session);
    unlink(beside(name));
    return ((CK (*)(CK))softhsm->functions[CLOSE_SESSION])(session);
}

static CK c_login(CK session, CK user, void *pin, CK pin_length) {
    CK status = fault("login_status"), most = fault("lock_after");
    append("logins");
    if (status) return status;
    if (most && (CK)length("wrong") >= most) return 0xA4;
    status = ((CK (*)(CK, CK, void *, CK))softhsm->functions[LOGIN])(session, user, pin, pin_length);
    if (status == 0xA0) append("wrong");
    else if (!status) unlink(beside("wrong"));
    return status;
}

static CK c_find_objects(CK session, CK *objects, CK most, CK *count) {
    CK status = ((CK (*)(CK, CK *, CK, CK *))softhsm->functions[FIND_OBJECTS])(session, objects, most, count);
    for (CK i = 0; !status && i < *count && seen_count < 64; i++) seen[seen_count++] = objects[i];
    return status;
}

static CK c_sign_init(CK session, void *mechanism, CK key) {
    CK (*real)(CK, void *, CK) = softhsm->functions[SIGN_INIT];
    CK status = fault("init_status");
    if (status) return status;
    if (fault("init_swap"))
        for (int i = 0; i < seen_count; i++)
            if (seen[i] != key && !real(session, mechanism, seen[i])) return 0;
    return real(session, mechanism, key);
}

static CK c_sign(CK session, unsigned char *data, CK data_length, unsigned char *signature, CK *signature_length) {
    CK status = 0, milliseconds = fault("sign_sleep");
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    int due = signature && (CK)++signatures > fault("sign_after");
    if (milliseconds) nanosleep(&pause, NULL);
    if (due && fault("sign_crash")) { signal(SIGSEGV, SIG_DFL); raise(SIGSEGV); }
    if (due && (status = fault("sign_status"))) return status;
    status = ((CK (*)(CK, void *, CK, void *, CK *))softhsm->functions[SIGN])(
        session, data, data_length, signature, signature_length);
    if (due && !status && fault("sign_wrong")) signature[*signature_length - 1] ^= 1;
    return status;
}

CK C_GetFunctionList(struct list **list) {
    CK (*real)(struct list **);
    void *library = softhsm ? NULL : dlopen(SOFTHSM, RTLD_NOW);
    if (!softhsm) {
        if (!library || !(real = (CK (*)(struct list **))dlsym(library, "C_GetFunctionList")) || real(&softhsm)) return 5;
        ours = *softhsm;
        ours.functions[INITIALIZE] = c_initialize;
        ours.functions[OPEN_SESSION] = c_open_session;
        ours.functions[CLOSE_SESSION] = c_close_session;
        ours.functions[LOGIN] = c_login;
        ours.functions[FIND_OBJECTS] = c_find_objects;
        ours.functions[SIGN_INIT] = c_sign_init;
        ours.functions[SIGN] = c_sign;
    }
    *list = &ours;
    return 0;
}
