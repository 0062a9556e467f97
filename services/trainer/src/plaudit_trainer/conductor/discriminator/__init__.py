"""GRAIL: the discriminator learns from the groups that it has scored, and rests meanwhile when the
policy is evaluated."""
