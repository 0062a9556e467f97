"""What DRCA and GRAIL need of a recipe's rewards."""

from plaudit.errors import ConfigError
from plaudit.reward_pools import DEFAULT_MODEL, DISCRIMINATOR_REWARD, GROUP_REWARDS
from plaudit.schemas.recipe import DiscriminatorRecipe, Recipe
from plaudit.schemas.reward import TOKEN_REWARDS


def check_method(recipe: Recipe) -> None:
    """Raises ConfigError."""
    if recipe.method.name == "drca":
        _check_drca(recipe)
    elif recipe.method.name == "grail":
        _check_grail(recipe)


def _check_drca(recipe: Recipe) -> None:
    """A counterfactual has to get the reward that the same text would get as a completion."""
    problems = [
        f"rewards.{index}.name = {one.name!r} {why}"
        for index, one in enumerate(recipe.rewards)
        for why in _why_not_alone(one.name)
    ]
    problems += [
        f"rewards.{index}.scale = {one.scale!r} compares completions"
        for index, one in enumerate(recipe.rewards)
        if one.scale != "none"
    ]
    problems += [] if recipe.judge is None else ["[judge] compares completions"]
    problems += ["mixing.learnable changes the weights"] if recipe.mixing.learnable else []
    if problems:
        raise ConfigError(
            f"method.name = 'drca' takes a reward less the same reward with a unit blanked: "
            f"{'; '.join(problems)}.",
            fix="leave it out, or take another method",
        )


def _why_not_alone(name: str) -> list[str]:
    if name in GROUP_REWARDS:
        return ["compares completions"]
    return ["needs the tokens of a completion"] if name in TOKEN_REWARDS else []


def _check_grail(recipe: Recipe) -> None:
    used = [one for one in recipe.rewards if one.name == DISCRIMINATOR_REWARD]
    if not used:
        raise ConfigError(
            "method.name = 'grail': rewards has no 'discriminator', which learns and rewards.",
            fix="add it to [[rewards]], or take method.name = 'grpo'",
        )
    taught = (recipe.method.discriminator or DiscriminatorRecipe()).model
    scores = used[0].params.get("model", DEFAULT_MODEL)
    if scores != taught:
        raise ConfigError(
            f"method.discriminator.model = {taught!r} is what learns, and the reward "
            f"'discriminator' scores by {scores!r}.",
            fix="give both the same model",
        )
