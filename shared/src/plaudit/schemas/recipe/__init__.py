"""The recipe: one TOML file that says what to train, on what, by which rewards.

`Recipe` trains online, on rollouts; `OfflineRecipe` and its kin train on a data set.
"""

from plaudit.schemas.recipe.data import DataRecipe, GrailRecipe, LengthBudgetRecipe
from plaudit.schemas.recipe.hub import HubRecipe
from plaudit.schemas.recipe.learner import LearnerRecipe
from plaudit.schemas.recipe.method import (
    GROUP_RELATIVE,
    WITH_CRITIC,
    CriticRecipe,
    DiscriminatorRecipe,
    DrcaRecipe,
    ImportanceSampling,
    KlRecipe,
    LossType,
    MethodRecipe,
    OnlineMethod,
)
from plaudit.schemas.recipe.model import LoraRecipe, ModelRecipe
from plaudit.schemas.recipe.offline import (
    OFFLINE_RECIPES,
    DpoMethod,
    DpoRecipe,
    KtoMethod,
    KtoRecipe,
    OfflineEvalRecipe,
    OfflineMethodRecipe,
    OfflineRecipe,
    RewardModelMethod,
    RewardModelRecipe,
    SftMethod,
    SftRecipe,
    UnitRewardModelMethod,
    UnitRewardModelRecipe,
)
from plaudit.schemas.recipe.online import EvalRecipe, PipelineRecipe, Recipe, SelectionRecipe
from plaudit.schemas.recipe.replay import ReplayRecipe
from plaudit.schemas.recipe.rewards import JUDGE_KEY, JudgeRecipe, OnMissing, RewardRecipe
from plaudit.schemas.recipe.run import BudgetRecipe, RunRecipe
from plaudit.schemas.recipe.source import DataFormat, FilterRecipe, SourceOptions, SourceRecipe
from plaudit.schemas.recipe.tracking import TrackingRecipe, TrackioRecipe, WandbRecipe

__all__ = [
    "GROUP_RELATIVE",
    "JUDGE_KEY",
    "OFFLINE_RECIPES",
    "BudgetRecipe",
    "CriticRecipe",
    "DataFormat",
    "DataRecipe",
    "DiscriminatorRecipe",
    "DpoMethod",
    "DpoRecipe",
    "DrcaRecipe",
    "EvalRecipe",
    "FilterRecipe",
    "GrailRecipe",
    "HubRecipe",
    "ImportanceSampling",
    "JudgeRecipe",
    "KlRecipe",
    "KtoMethod",
    "KtoRecipe",
    "LearnerRecipe",
    "LengthBudgetRecipe",
    "LoraRecipe",
    "LossType",
    "MethodRecipe",
    "ModelRecipe",
    "OfflineEvalRecipe",
    "OfflineMethodRecipe",
    "OfflineRecipe",
    "OnMissing",
    "OnlineMethod",
    "PipelineRecipe",
    "Recipe",
    "ReplayRecipe",
    "RewardModelMethod",
    "RewardModelRecipe",
    "RewardRecipe",
    "RunRecipe",
    "SelectionRecipe",
    "SftMethod",
    "SftRecipe",
    "SourceOptions",
    "SourceRecipe",
    "TrackingRecipe",
    "TrackioRecipe",
    "UnitRewardModelMethod",
    "UnitRewardModelRecipe",
    "WITH_CRITIC",
    "WandbRecipe",
]
