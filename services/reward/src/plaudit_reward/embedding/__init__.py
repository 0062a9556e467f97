"""Texts as embeddings: what may make them, by name, and a cache over all of it.

Importing this package loads neither torch nor transformers; `embedding.sentence` does when asked.
"""
