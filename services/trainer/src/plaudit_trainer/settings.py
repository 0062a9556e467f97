"""Settings of the trainer's processes: `PLAUDIT_TRAINER_*` or [trainer] in plaudit.toml."""

from plaudit.config import ServiceSettings


class TrainerSettings(ServiceSettings):
    """The conductor serves the run's status on `port`."""

    port: int = 8105
    rollout_url: str = "http://127.0.0.1:8101"
    reward_url: str = "http://127.0.0.1:8102"
    judge_url: str = "http://127.0.0.1:8103"
