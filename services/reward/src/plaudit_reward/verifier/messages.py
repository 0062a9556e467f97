"""The two messages to the zygote, apart from it: importing it brings Math-Verify in."""

START, KILL = b"S", b"K"
