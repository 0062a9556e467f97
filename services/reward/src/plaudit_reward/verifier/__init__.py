"""Math-Verify in child processes that can be killed, with what spares most calls to it."""
