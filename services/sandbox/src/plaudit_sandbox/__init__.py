"""Plaudit's sandbox service: the only place that runs untrusted code."""
