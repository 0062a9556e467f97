"""A local model from its spec."""

from plaudit.errors import ConfigError
from plaudit_reward.models.local.classifier import Classifier, load_classifier
from plaudit_reward.models.local.discriminator import Discriminator, load_discriminator
from plaudit_reward.models.local.unit import UnitModel, load_unit_model
from plaudit_reward.models.local.value_head import ValueHeadModel, load_value_head_model
from plaudit_reward.models.spec import (
    ClassifierSpec,
    DiscriminatorSpec,
    ModelSpec,
    UnitSpec,
    ValueHeadSpec,
)

Loaded = Classifier | ValueHeadModel | UnitModel | Discriminator


def load(name: str, spec: ModelSpec, max_batch_tokens: int) -> Loaded:
    """Raises ConfigError."""
    match spec:
        case ClassifierSpec():
            return load_classifier(name, spec, max_batch_tokens)
        case ValueHeadSpec():
            return load_value_head_model(name, spec, max_batch_tokens)
        case UnitSpec():
            return load_unit_model(name, spec, max_batch_tokens)
        case DiscriminatorSpec():
            return load_discriminator(name, spec, max_batch_tokens)
    raise ConfigError(f"kind = {spec.kind!r} is not run here.", fix="say another kind")
