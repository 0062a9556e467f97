"""Bounds on waits that several processes of a run share."""

STARTUP_BOUND_S = 1800.0
"""While no engine has served yet: large models take long to load, longer than a run may stall."""
