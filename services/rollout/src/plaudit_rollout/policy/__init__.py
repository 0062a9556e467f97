"""Policy versions: announced, verified, loaded, proven."""
