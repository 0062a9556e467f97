"""The parameters that a request gives a reward, as that reward's own model."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from plaudit.config.names import unknown_name
from plaudit.errors import Rejected
from plaudit.schemas.common import Contract
from plaudit_reward.reward import Reward


def checked_params(where: str, reward: Reward, params: Mapping[str, Any]) -> Contract:
    """`where` is what the reader wrote them under. Raises Rejected with the nearest valid name."""
    try:
        return reward.params.model_validate(params)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            valid = reward.params.model_fields
            raise Rejected(unknown_name(f"{where}.{name[:80]}", name[:80], valid)) from None
        raise Rejected(f"{where}.{name} of {reward.name}: {first['msg']}.") from None
