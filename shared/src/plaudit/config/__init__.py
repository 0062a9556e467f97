"""Settings of services (environment, plaudit.toml) and recipes of runs (TOML)."""

from plaudit.config.load import load_settings
from plaudit.config.recipe import dump_recipe, load_recipe
from plaudit.config.settings import ServiceSettings

__all__ = ["ServiceSettings", "dump_recipe", "load_recipe", "load_settings"]
