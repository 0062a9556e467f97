/* Asks the kernel directly for what no program may have; prints the names of what it got. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int escaped;

static void got(const char *what, long result) {
    if (result >= 0) {
        printf("%s\n", what);
        escaped = 1;
    }
}

/* In a child where one may be had, since it makes children of its own. */
static void attempt(const char *what, long (*call)(void)) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) _exit(call() >= 0 ? 42 : 0);
    int status = 0;
    if (child < 0) got(what, call());
    else if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42) got(what, 0);
}

#if defined(__x86_64__)
static long x32_socket(void) { return syscall(0x40000000 + 41, 2, 1, 0); }
#endif

static long clone3_user(void) {
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long result = syscall(SYS_clone3, &args, sizeof args);
    if (result == 0) _exit(0);
    return result;
}
static long clone_user(void) {
    long result = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (result == 0) _exit(0);
    return result;
}

int main(int n, char **args) {
    pid_t victim = n > 1 ? atoi(args[1]) : 1;
    char buffer[64] = {0};
    struct { void *base; size_t length; } local = {buffer, 64}, remote = {(void *)0x400000, 64};

    got("socket", syscall(SYS_socket, 2, 1, 0));
    got("socket netlink", syscall(SYS_socket, 16, 3, 0));
    got("socket vsock", syscall(SYS_socket, 40, 1, 0));
    got("socket alg", syscall(SYS_socket, 38, 5, 0));
    got("unshare", syscall(SYS_unshare, CLONE_NEWUSER));
    got("setns", syscall(SYS_setns, 0, 0));
    got("ptrace", syscall(SYS_ptrace, 16, victim, 0, 0));
    got("process_vm_readv", syscall(SYS_process_vm_readv, victim, &local, 1L, &remote, 1L, 0L));
    got("process_vm_readv parent", syscall(SYS_process_vm_readv, getppid(), &local, 1L, &remote, 1L, 0L));
    got("pidfd_open", syscall(SYS_pidfd_open, victim, 0));
    got("kill", syscall(SYS_kill, victim, 0));
    got("tkill", syscall(SYS_tkill, victim, 0));
    got("io_uring_setup", syscall(SYS_io_uring_setup, 8, buffer));
    got("bpf", syscall(SYS_bpf, 0, buffer, 64));
    got("perf_event_open", syscall(SYS_perf_event_open, buffer, 0, -1, -1, 0));
    got("userfaultfd", syscall(SYS_userfaultfd, 1));
    got("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    got("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
    got("mount", syscall(SYS_mount, "none", ".", "tmpfs", 0, 0));
    got("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    got("open_tree", syscall(SYS_open_tree, -100, "/", 1));
    got("pivot_root", syscall(SYS_pivot_root, ".", "."));
    got("chroot", syscall(SYS_chroot, "."));
    got("mknod", syscall(SYS_mknodat, -100, "vda", S_IFBLK | 0600, (8 << 8)));
    got("setuid", syscall(SYS_setuid, 0));
    got("setresuid", syscall(SYS_setresuid, 0, 0, 0));
    got("memfd_create", syscall(SYS_memfd_create, "x", 0));
    got("shmget", victim && getppid() ? syscall(SYS_shmget, 0, 4096, 01600) : -1);
    got("vmsplice", syscall(SYS_vmsplice, 1, &local, 1L, 0));
    got("fanotify_init", syscall(SYS_fanotify_init, 0, 0));
    got("inotify_init1", syscall(SYS_inotify_init1, 0));
    got("name_to_handle_at", syscall(SYS_name_to_handle_at, -100, ".", buffer, buffer + 32, 0));
    got("open_by_handle_at", syscall(SYS_open_by_handle_at, -100, buffer, 0));
    got("personality", syscall(SYS_personality, 0x0040000));
    got("syslog", syscall(SYS_syslog, 3, buffer, 64));
    got("landlock anew", open("/etc/passwd", O_RDONLY));
    got("environ", open("/proc/1/environ", O_RDONLY));
    got("own environ", open("/proc/self/environ", O_RDONLY));
    got("memory of init", open("/proc/1/mem", O_RDWR));
    got("tty", open("/dev/tty", O_RDWR));
    got("kernel memory", open("/dev/mem", O_RDONLY));
    got("write to libc's directory", open("/usr/lib/plaudit-escape", O_CREAT | O_WRONLY, 0600));
    got("write to /tmp", open("/tmp/plaudit-escape", O_CREAT | O_WRONLY, 0600));
    got("push into the terminal", syscall(SYS_ioctl, 0, 0x5412, "x"));
    got("grow stdin", ftruncate(0, 1 << 24));
    got("newer than the filter", syscall(480, 0, 0, 0));
    attempt("clone3 user", clone3_user);
    attempt("clone user", clone_user);
#if defined(__x86_64__)
    got("x32", x32_socket());
#endif
    if (setsid() > 0) printf("setsid by the leader\n");
    puts(escaped ? "ESCAPED" : "contained");
    return 0;
}
