"""Preference pairs from tournaments among the completions of a prompt."""
