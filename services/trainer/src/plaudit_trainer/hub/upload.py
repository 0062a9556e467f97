"""One upload: a folder to a branch, as Open-R1's push_to_hub_revision does it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tenacity import retry, retry_if_exception, stop_after_attempt, wait_exponential

from plaudit.schemas.recipe.hub import HubRecipe

if TYPE_CHECKING:
    from huggingface_hub import HfApi

IGNORED = ["checkpoint-*", "*.pth", "*.pt", "*.bin", "plaudit.json", "global_step*/**"]
"""Optimizer, random state and what only resuming needs."""
MAX_ATTEMPTS = 4


@dataclass(frozen=True)
class Uploader:
    api: "HfApi"
    recipe: HubRecipe

    @retry(
        stop=stop_after_attempt(MAX_ATTEMPTS),
        wait=wait_exponential(multiplier=0.5, max=30.0),
        retry=retry_if_exception(lambda error: may_pass(error)),
        reraise=True,
    )
    def upload(self, folder: Path, branch: str, message: str) -> None:
        """Raises what huggingface_hub raises, after another try where it may pass."""
        model_id = self.recipe.model_id
        self.api.create_repo(model_id, private=self.recipe.private, exist_ok=True)
        if branch != "main":
            first = self.api.list_repo_commits(model_id)[-1]
            self.api.create_branch(model_id, branch=branch, revision=first.commit_id, exist_ok=True)
        self.api.upload_folder(
            repo_id=model_id,
            folder_path=folder,
            revision=branch,
            commit_message=message,
            ignore_patterns=IGNORED,
        )


def may_pass(error: BaseException) -> bool:
    """Lost connections and a hub that is busy or broken; not a wrong key or name."""
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in (408, 429, 500, 502, 503, 504)
    return isinstance(error, OSError)
