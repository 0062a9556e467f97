"""Models that the worker runs itself. Only here are torch and transformers imported."""
