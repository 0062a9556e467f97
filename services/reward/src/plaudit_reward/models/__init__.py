"""Learned rewards: the models of the pool `model`, batched and run beside the event loop.

Importing this package loads neither torch nor transformers; `models.local` does.
"""
