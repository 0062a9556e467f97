"""Offline training: a method of TRL on a data set, without rollouts and services.

tokens       messages -> token ids, and which of them are learned
method       what a method is to the rest: rows, a trainer, an evaluation
steps        the seam in TRL: figures of each step, steps that are skipped, checkpoints
evaluation   held-out rows, shared by the processes
hooks        what follows a step: evaluation, metrics, checkpoint
main         the process
"""
