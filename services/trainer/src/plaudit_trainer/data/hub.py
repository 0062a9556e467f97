"""Data sets that the `datasets` library reads: of the Hugging Face hub, or a local directory."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plaudit.errors import ConfigError

_SAVED = ("dataset_info.json", "dataset_dict.json", "state.json")
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


@dataclass(frozen=True)
class HubPart:
    """Which part of a data set; `name`: owner/name, or a directory."""

    setting: str
    name: str
    config: str | None
    split: str
    revision: str | None

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """With each row its number, from 1. Raises ConfigError saying what was tried."""
        for number, row in enumerate(self._dataset(), start=1):
            yield number, dict(row)

    def _dataset(self) -> Any:
        import datasets

        try:
            if Path(self.name).is_dir() and _is_saved(Path(self.name)):
                return self._split_of(datasets.load_from_disk(self.name))
            return datasets.load_dataset(
                self.name, name=self.config, split=self.split, revision=self.revision
            )
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            raise self._unreadable(error) from error

    def _split_of(self, saved: Any) -> Any:
        """`save_to_disk` writes one split, or a directory of them."""
        import datasets

        if not isinstance(saved, datasets.DatasetDict):
            return saved
        if self.split not in saved:
            raise ValueError(f"it has the splits {sorted(saved)}")
        return saved[self.split]

    def _unreadable(self, error: Exception) -> ConfigError:
        parts = {"config": self.config, "split": self.split, "revision": self.revision}
        tried = ", ".join(f"{name} {value!r}" for name, value in parts.items() if value is not None)
        offline = [f"{name} = {os.environ[name]}" for name in _OFFLINE if os.environ.get(name)]
        state = f" ({', '.join(offline)}: only what is cached can be read)" if offline else ""
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return ConfigError(
            f"{self.setting} = {self.name!r}: the data set cannot be read with {tried}: "
            f"{type(error).__name__}: {first}{state}.",
            fix="check the name, its config and split, and the network; or give a local file",
        )


def _is_saved(path: Path) -> bool:
    return any((path / name).is_file() for name in _SAVED)
