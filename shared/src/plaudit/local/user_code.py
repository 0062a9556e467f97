"""Rewards in files of the user: found, looked at without running them."""

import ast
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from plaudit.config.names import nearest, unknown_name
from plaudit.errors import ConfigError
from plaudit.local.environment import Environment
from plaudit.schemas.recipe import Recipe, RewardRecipe
from plaudit.user_code import GIVEN, UserReward, read_file

DIRS_SETTING = "PLAUDIT_REWARD_USER_CODE_DIRS"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def with_absolute_names(recipe: Recipe, base: Path) -> Recipe:
    """`./my.py:f` becomes `/home/me/my.py:f`, from the current directory or else from `base`."""

    def absolute(name: str) -> str:
        found = UserReward.of(name)
        return name if found is None else UserReward(_place(found.path, base), found.function).name

    def renamed(reward: RewardRecipe) -> RewardRecipe:
        changes: dict[str, Any] = {"name": absolute(reward.name)}
        if reward.gate is not None:
            gate = reward.gate.model_copy(update={"reward": absolute(reward.gate.reward)})
            changes["gate"] = gate
        return reward.model_copy(update=changes)

    by_kind = {kind: absolute(name) for kind, name in recipe.eval.reward_by_kind.items()}
    return recipe.model_copy(
        update={
            "rewards": [renamed(reward) for reward in recipe.rewards],
            "eval": recipe.eval.model_copy(update={"reward_by_kind": by_kind}),
        }
    )


def user_rewards(recipe: Recipe) -> dict[str, tuple[UserReward, Mapping[str, Any]]]:
    """By the setting that names it, with its parameters."""
    named = {f"rewards.{i}.name": (one.name, one.params) for i, one in enumerate(recipe.rewards)}
    by_kind = recipe.eval.reward_by_kind
    named |= {f"eval.reward_by_kind.{kind}": (name, {}) for kind, name in by_kind.items()}
    return {
        setting: (found, params)
        for setting, (name, params) in named.items()
        if (found := UserReward.of(name)) is not None
    }


def check_user_code(recipe: Recipe) -> None:
    """Raises ConfigError for a file, a function or a parameter that is not there."""
    for setting, (reward, params) in user_rewards(recipe).items():
        _check_file(f"{setting} = {reward.name!r}", reward)
        tree = _tree(f"{setting} = {reward.name!r}", reward.path)
        found = _names(tree)
        if reward.function not in found and "*" not in found:
            near = nearest(reward.function, found)
            raise ConfigError(
                f"{setting} = {reward.name!r}: {reward.path} has no {reward.function!r}.",
                fix=f"did you mean {near!r}?" if near else f"it has: {', '.join(sorted(found))}",
            )
        function = found.get(reward.function)
        if isinstance(function, Function) and not function.decorator_list:
            _check_params(setting.removesuffix(".name"), function, params)


def allowed_dirs(recipe: Recipe, environment: Environment) -> dict[str, str]:
    """`dirs_setting` for the recipe's files."""
    files = {reward.path for reward, _ in user_rewards(recipe).values()}
    return dirs_setting(sorted({path.resolve().parent for path in files}), environment)


def dirs_setting(dirs: Sequence[Path], environment: Environment) -> dict[str, str]:
    """The setting with which workers of this machine run files below `dirs`, and below what the
    user has set already."""
    if not dirs:
        return {}
    section = environment.document.get("reward", {})
    own = section.get("user_code_dirs", []) if isinstance(section, dict) else []
    if DIRS_SETTING in environment.variables:
        own = _listed(environment.variables[DIRS_SETTING])
    allowed = dict.fromkeys([*own, *(str(one.resolve()) for one in dirs)])
    return {DIRS_SETTING: json.dumps(list(allowed))}


def _place(path: Path, base: Path) -> Path:
    path = path.expanduser()
    places = (Path.cwd() / path, base.absolute() / path)
    found = next((place for place in places if place.exists()), places[-1])
    return Path(*_normal_parts(found))


def _normal_parts(path: Path) -> Iterable[str]:
    """Without `.`; `..` stays, since what it means after a symlink is the file system's to say."""
    return (part for part in path.parts if part != ".")


def _check_file(what: str, reward: UserReward) -> None:
    if not reward.path.is_file():
        siblings = [one.name for one in reward.path.parent.glob("*.py")]
        near = nearest(reward.path.name, siblings)
        raise ConfigError(
            f"{what}: no such file.",
            fix=f"did you mean {str(reward.path.with_name(near))!r}?"
            if near
            else "a reward in a file is named PATH.py:FUNCTION, from the current directory or "
            "from beside the recipe",
        )


def _tree(what: str, path: Path) -> ast.Module:
    try:
        return ast.parse(read_file(path), filename=str(path))
    except (SyntaxError, ValueError) as error:
        where = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else error
        raise ConfigError(f"{what}: {where}.", fix="correct the file") from error


def _names(tree: ast.Module) -> dict[str, ast.stmt]:
    """What the file defines, inside of `if` and `try`, too; `*` where that cannot be known."""
    return {name: statement for statement in _statements(tree) for name in _defined(statement)}


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Those that run when the file is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if not isinstance(child, Function | ast.ClassDef):
            yield from _statements(child)


def _defined(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name for alias in names]
        case ast.Assign(targets=targets):
            return [one.id for one in targets if isinstance(one, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _check_params(where: str, function: Function, params: Mapping[str, Any]) -> None:
    arguments = function.args
    known = {one.arg for one in (*arguments.args[1:], *arguments.kwonlyargs)} - {*GIVEN}
    for name in params:
        if name in GIVEN or (name not in known and arguments.kwarg is None):
            raise ConfigError(unknown_name(f"{where}.params.{name}", name, known))


def _listed(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError:
        return []  # why: the service itself says what is wrong with its setting
    return [str(one) for one in found] if isinstance(found, list) else []
