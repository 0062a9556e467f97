"""Supervised fine-tuning: cross-entropy on the assistant's tokens."""
