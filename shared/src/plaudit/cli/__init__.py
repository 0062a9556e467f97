"""The command line: `plaudit up | train | demo | runs | doctor | queue`."""
