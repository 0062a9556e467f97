"""Plaudit's reward service: scores groups of completions by rules, programs and models."""
