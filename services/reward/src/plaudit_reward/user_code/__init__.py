"""Rewards that users wrote, each in processes of its own that may hang, die or be killed."""
