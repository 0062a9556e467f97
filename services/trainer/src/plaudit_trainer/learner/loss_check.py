"""What of a method cannot be combined, told before anything heavy is loaded."""

from collections.abc import Callable

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import GROUP_RELATIVE, CriticRecipe, Recipe


def check_loss(recipe: Recipe) -> None:
    """Raises ConfigError when the loss cannot be combined with the rest of the method."""
    for check in CHECKS:
        check(recipe)


def _check_vespo(recipe: Recipe) -> None:
    method = recipe.method
    if method.loss_type != "vespo":
        return
    if method.importance_sampling.level == "sequence":
        raise ConfigError(
            "method.importance_sampling.level = 'sequence': VESPO computes sequence weights itself "
            "and takes token weights.",
            fix="set it to 'token' or 'none', or choose another method.loss_type",
        )
    if method.importance_sampling_level == "sequence":
        raise ConfigError(
            "method.importance_sampling_level = 'sequence': VESPO is sequence-level by itself.",
            fix="set it to 'token', or choose another method.loss_type",
        )


def _check_sequence(recipe: Recipe) -> None:
    """One action has one advantage, one weight and no loss of single tokens beside it."""
    method = recipe.method
    if method.loss_type != "sequence":
        return
    if method.name not in GROUP_RELATIVE:
        raise ConfigError(
            f"method.loss_type = 'sequence': a completion is one action, and {method.name!r} has "
            "an advantage for each token.",
            fix=f"choose another method.loss_type, or a method of {sorted(GROUP_RELATIVE)}",
        )
    if method.importance_sampling.level == "token":
        raise ConfigError(
            "method.importance_sampling.level = 'token': under method.loss_type = 'sequence' a "
            "completion has one weight.",
            fix="set it to 'sequence' or 'none'",
        )
    if method.beta:
        raise ConfigError(
            f"method.beta = {method.beta}: method.loss_type = 'sequence' has no KL in the loss.",
            fix="set it to 0; RLOO takes the KL into its reward: [method.kl]",
        )


def _check_kl(recipe: Recipe) -> None:
    method = recipe.method
    if method.beta and method.kl is not None:
        raise ConfigError(
            f"method.beta = {method.beta} puts the KL into the loss, and [method.kl] into the "
            "reward: it would count twice.",
            fix="leave one of them out",
        )


def _check_critic(recipe: Recipe) -> None:
    method = recipe.method
    warmup_steps = (method.critic or CriticRecipe()).warmup_steps
    if warmup_steps and method.weight_decay:
        raise ConfigError(
            f"method.critic.warmup_steps = {warmup_steps}: the policy must stand still meanwhile, "
            f"and method.weight_decay = {method.weight_decay} moves it.",
            fix="set one of them to 0",
        )


def _check_single_completions(recipe: Recipe) -> None:
    method = recipe.method
    if method.num_generations == 1 and method.zero_variance == "replace":
        raise ConfigError(
            "method.zero_variance = 'replace' drops every group of method.num_generations = 1.",
            fix="set it to 'keep', or raise num_generations",
        )


CHECKS: tuple[Callable[[Recipe], None], ...] = (
    _check_vespo,
    _check_sequence,
    _check_kl,
    _check_critic,
    _check_single_completions,
)
