"""Where a run's models are published for others."""

from pydantic import Field

from plaudit.schemas.common import Contract


class HubRecipe(Contract):
    """A model repository of the Hugging Face hub, or of what HF_ENDPOINT names (key: HF_TOKEN)."""

    model_id: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"
    )
    """OWNER/NAME; made if it is not there."""
    revision: str = Field(default="main", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    """The final model's branch; a checkpoint's is REVISION-step-000000010."""
    private: bool = True
    """Of a repository that is made."""
    push_checkpoints: bool = True
    timeout_s: float = Field(default=600.0, gt=0.0)
    """For what is still on its way when the run ends."""
