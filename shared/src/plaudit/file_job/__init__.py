"""Jobs from a file to a file: each row asked for once, whatever is killed meanwhile."""
