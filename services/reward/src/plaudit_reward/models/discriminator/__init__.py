"""The discriminator: what it reads, where its versions are kept, who may teach it.

Importing this package loads no torch; `plaudit_reward.models.local.discriminator` does.
"""
