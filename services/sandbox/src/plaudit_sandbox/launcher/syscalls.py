"""Numbers of the system calls that the filter names, by architecture.

Source: Linux, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    audit_arch: int
    denied: dict[str, int]
    """Refused to every program."""
    forks: dict[str, int]
    """Only start processes: refused to a program that may be one process only."""
    reaches_others: dict[str, int]
    """Refused where there is no pid namespace: they signal, slow down or meet other processes of
    this user, leave the program's process group, which is killed as one, leave memory behind
    (System V and POSIX message queues and shared memory), or take disk faster than is watched."""
    ownership: dict[str, int]
    """Refused where the program's user has other files: Landlock does not cover these."""
    clone: int
    clone3: int
    socketpair: int
    signals_by_pid: tuple[int, int]
    """kill and tgkill."""
    limits_by_pid: tuple[int, ...]
    """prlimit64 and the scheduler's calls, which take a pid first; 0 is the caller."""


_COMMON = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_open": 434, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442,
    "quotactl_fd": 443, "memfd_secret": 447, "process_mrelease": 448,
    "set_mempolicy_home_node": 450, "statmount": 457, "listmount": 458, "open_tree_attr": 467,
}  # fmt: skip
X86_64 = Table(
    audit_arch=0xC000_003E,
    denied=_COMMON | {
        "socket": 41, "ptrace": 101, "syslog": 103, "uselib": 134, "personality": 135,
        "sysfs": 139, "vhangup": 153, "modify_ldt": 154, "pivot_root": 155, "chroot": 161,
        "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167,
        "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172,
        "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179,
        "nfsservctl": 180, "lookup_dcookie": 212, "clock_settime": 227, "mbind": 237,
        "set_mempolicy": 238, "kexec_load": 246, "add_key": 248, "request_key": 249,
        "keyctl": 250, "inotify_init": 253, "migrate_pages": 256, "unshare": 272,
        "vmsplice": 278, "move_pages": 279, "inotify_init1": 294, "perf_event_open": 298,
        "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308,
        "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
        "memfd_create": 319, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
    },
    forks={"fork": 57, "vfork": 58},
    reaches_others={
        "rt_sigqueueinfo": 129, "tkill": 200, "rt_tgsigqueueinfo": 297, "pidfd_send_signal": 424,
        "setpgid": 109, "setsid": 112, "setpriority": 141, "ioprio_set": 251, "shmget": 29,
        "shmat": 30, "shmctl": 31, "semget": 64, "semop": 65, "semctl": 66, "semtimedop": 220,
        "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "mq_open": 240, "mq_unlink": 241,
        "fallocate": 285,
    },
    ownership={
        "truncate": 76, "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94,
        "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197,
        "lremovexattr": 198, "fremovexattr": 199, "fchownat": 260, "fchmodat": 268,
        "fchmodat2": 452, "setxattrat": 463, "removexattrat": 466,
    },
    clone=56, clone3=435, socketpair=53, signals_by_pid=(62, 234),
    limits_by_pid=(142, 144, 203, 302, 314),
)  # fmt: skip
AARCH64 = Table(
    audit_arch=0xC000_00B7,
    denied=_COMMON | {
        "lookup_dcookie": 18, "inotify_init1": 26, "umount2": 39, "mount": 40, "pivot_root": 41,
        "nfsservctl": 42, "chroot": 51, "vhangup": 58, "quotactl": 60, "vmsplice": 75, "acct": 89,
        "personality": 92, "unshare": 97, "kexec_load": 104, "init_module": 105,
        "delete_module": 106, "clock_settime": 112, "syslog": 116, "ptrace": 117, "reboot": 142,
        "sethostname": 161, "setdomainname": 162, "settimeofday": 170, "socket": 198,
        "add_key": 217, "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225,
        "mbind": 235, "set_mempolicy": 237, "migrate_pages": 238, "move_pages": 239,
        "perf_event_open": 241, "fanotify_init": 262, "name_to_handle_at": 264,
        "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270,
        "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "memfd_create": 279,
        "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294,
    },
    forks={},
    reaches_others={
        "ioprio_set": 30, "tkill": 130, "rt_sigqueueinfo": 138, "setpriority": 140,
        "fallocate": 47, "setpgid": 154, "setsid": 157, "mq_open": 180, "mq_unlink": 181,
        "msgget": 186,
        "msgctl": 187, "msgrcv": 188, "msgsnd": 189, "semget": 190, "semctl": 191,
        "semtimedop": 192, "semop": 193,
        "shmget": 194, "shmctl": 195, "shmat": 196, "rt_tgsigqueueinfo": 240,
        "pidfd_send_signal": 424,
    },
    ownership={
        "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15,
        "fremovexattr": 16, "truncate": 45, "fchmod": 52, "fchmodat": 53, "fchownat": 54,
        "fchown": 55, "fchmodat2": 452, "setxattrat": 463, "removexattrat": 466,
    },
    clone=220, clone3=435, socketpair=199, signals_by_pid=(129, 131),
    limits_by_pid=(118, 119, 122, 261, 274),
)  # fmt: skip
TABLES = {"x86_64": X86_64, "aarch64": AARCH64, "arm64": AARCH64}
