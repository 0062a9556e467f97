"""Forks verifier children from a process that has Math-Verify imported already.

Importing it takes most of a second, forking some milliseconds, so that killing a child over one
hostile answer is cheap. Messages on the control socket (one datagram each):

    S + a socket, a file   start a child that answers batches on that socket and notes what it
                           finds in that file; replied with its pid
    K + pid                kill that child and wait for it; replied with K

The zygote ends when the control socket closes, and its children with it.
"""

import ctypes
import logging
import os
import signal
import socket
import sys

from plaudit_reward.verifier.child import EXTRACT, answer_batches, answer_question
from plaudit_reward.verifier.libraries import speed_up
from plaudit_reward.verifier.messages import KILL, START
from plaudit_reward.verifier.noted import Noted

_PR_SET_PDEATHSIG = 1


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the worker's to handle
    control = socket.socket(fileno=int(sys.argv[1]))
    logging.disable(logging.CRITICAL)  # Math-Verify warns of time limits that are off
    speed_up()
    # Children inherit what the first question compiles and caches.
    for extract in EXTRACT:
        answer_question("1/2", r"\boxed{\frac{2}{4}}", extract)
    control.send(START)
    while True:
        message, handles, _, _ = socket.recv_fds(control, 64, 2)
        if not message:
            return
        if message[:1] == START:
            control.send(str(_start(control, *handles)).encode())
            for handle in handles:
                os.close(handle)
        else:
            _kill(int(message[1:]))
            control.send(KILL)


def _start(control: socket.socket, batches: int, file: int) -> int:
    zygote = os.getpid()
    child = os.fork()
    if child:
        return child
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != zygote:
        os._exit(1)
    os.close(control.detach())
    try:
        with socket.socket(fileno=batches) as connection, open(file, "r+b") as notes:
            answer_batches(connection.makefile("rb"), connection.sendall, Noted(notes))
    finally:
        os._exit(0)


def _kill(child: int) -> None:
    """Not waited for before this, so the number is still this child's."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
