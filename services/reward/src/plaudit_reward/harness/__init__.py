"""Unit tests of a program that nobody trusts, without tests and program ever meeting.

`tests_side` and `candidate_side` run in the sandbox, each in a process of its own, one after the
other; `exchange` carries plain data from one to the other. The verdict comes from the process that
has never seen the program, so nothing that a program does to its own process can change it.
"""
