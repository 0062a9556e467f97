"""The contracts between processes (pydantic v2, unknown keys refused)."""
