"""One file per reward. All modules here are registered; nothing else needs to be told."""
