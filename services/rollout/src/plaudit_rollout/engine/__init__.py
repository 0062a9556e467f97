"""vLLM: its command line, its supervisor, and a client of its HTTP endpoints."""
