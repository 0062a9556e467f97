"""Embeddings of earlier right completions: in Redis for all workers, mirrored in each of them."""
