"""Which class trains which `method.name`. Torch is loaded by what uses a method, not here."""

from importlib import import_module

from plaudit.schemas.recipe import OfflineRecipe
from plaudit_trainer.offline.method import OfflineMethod

METHODS = {
    "sft": "plaudit_trainer.offline.sft.method:Sft",
    "dpo": "plaudit_trainer.offline.dpo.method:Dpo",
    "kto": "plaudit_trainer.offline.kto.method:Kto",
    "rm": "plaudit_trainer.offline.reward_model.method:RewardModel",
    "unit_rm": "plaudit_trainer.offline.unit_rm.method:UnitRewardModel",
}


def method_of(recipe: OfflineRecipe) -> OfflineMethod:
    module, _, name = METHODS[recipe.method.name].partition(":")
    method: OfflineMethod = getattr(import_module(module), name)()
    return method
