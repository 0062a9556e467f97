"""Ask for every row that has no answer yet, a bounded number at once."""

import time
from dataclasses import dataclass

from plaudit.errors import Forbidden, NotFound, Rejected, Unavailable
from plaudit.file_job.journal import Journal
from plaudit.file_job.progress import Progress
from plaudit.file_job.work import ENDS_ALL, work_through
from plaudit.generating.generator import Generator
from plaudit.generating.prompts import PromptFile, PromptRow
from plaudit.generating.think import strip_think
from plaudit.schemas.generate import Ask, GeneratedRow, GeneratedText

_ENDS_ALL = (*ENDS_ALL, Forbidden, NotFound)
"""A wrong key or model meets every row alike."""


@dataclass
class GenerationJob:
    prompts: PromptFile
    journal: Journal[GeneratedRow]
    progress: Progress
    generator: Generator
    ask: Ask
    strips_think: bool
    answered_s: float = float("-inf")
    """When a row was answered last."""

    async def run(self, concurrency: int) -> None:
        """Raises what would meet every row alike; what meets one alone is in `progress`."""
        rows = self.progress.open(self.prompts.rows(), self.journal.has)
        await work_through(rows, concurrency, self._work)

    async def _work(self, row: PromptRow) -> None:
        key, started_s = self.progress.key(row), time.monotonic()
        try:
            texts = await self.generator.generate(row, key, self.ask)
        except _ENDS_ALL:
            raise
        except Rejected as error:
            self.progress.fail(row, str(error))
        except Unavailable as error:
            # Others were answered meanwhile: it is this row that nobody can answer.
            if self.answered_s < started_s:
                raise
            self.progress.fail(row, str(error))
        else:
            self._keep(row, texts)
        await self.generator.settle(key)

    def _keep(self, row: PromptRow, texts: list[GeneratedText]) -> None:
        if self.strips_think:
            texts = [one.model_copy(update={"text": strip_think(one.text)}) for one in texts]
        line = GeneratedRow(
            id=row.item_id,
            key=row.key,
            prompt=row.prompt,
            completions=texts,
            reference=row.reference,
        )
        self.journal.append(line, line.model_dump_json())
        self.answered_s = time.monotonic()
        self.progress.succeed(row)
