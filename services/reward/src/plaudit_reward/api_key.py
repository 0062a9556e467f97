"""Keys of peers: the same in every service."""

from plaudit.config.api_key import WithApiKey as WithApiKey
