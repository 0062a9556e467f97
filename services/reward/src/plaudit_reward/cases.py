"""One program on many inputs: as few calls of the sandbox as the program's speed allows.

A call runs its cases one after the other. A quick program is through all of them in the first
call; what a slow one leaves is spread over several calls at once.
"""

import asyncio
from collections.abc import Iterator, Sequence

from plaudit.errors import Unavailable
from plaudit.schemas.sandbox import Case, CaseResult, Language, Limits, RunRequest
from plaudit_reward.reward import Context

MAX_CASES = 64
MAX_INPUT_BYTES = 4 * 2**20
"""Of the cases of one call, unless the first alone has more."""
_PATIENCE = 3
"""A call goes on for this many times the wall limit of one case."""
_SPREAD = 8
"""Calls that share what was left."""


async def run_cases(
    program: str, language: Language, inputs: Sequence[str], limits: Limits, context: Context
) -> list[CaseResult]:
    """In the order of `inputs`. Raises PlauditError when the sandbox could not run one of them."""
    results: dict[str, CaseResult] = {}
    batches = list(_batches(inputs, MAX_CASES))
    while batches:
        calls = (_call(program, language, batch, limits, context) for batch in batches)
        for found in await asyncio.gather(*calls):
            results |= found
        # Every call has run one case at least, so this comes to an end.
        left = [text for text in inputs if text not in results]
        batches = list(_batches(left, -(-len(left) // _SPREAD)))
    return [results[text] for text in inputs]


async def _call(
    program: str, language: Language, inputs: Sequence[str], limits: Limits, context: Context
) -> dict[str, CaseResult]:
    """Of those inputs that it came to."""
    request = RunRequest(
        language=language,
        code=program,
        cases=[Case(stdin=text) for text in inputs],
        limits=limits,
        cases_wall_s=_PATIENCE * limits.wall_s,
    )
    answer = await context.run(request)
    failed = next((case for case in answer.cases if case.status == "sandbox_error"), None)
    if failed is not None:
        raise Unavailable(str(failed.reason))
    pairs = zip(inputs, answer.cases, strict=True)
    return {text: case for text, case in pairs if case.status != "skipped"}


def _batches(inputs: Sequence[str], max_cases: int) -> Iterator[list[str]]:
    batch: list[str] = []
    num_bytes = 0
    for text in inputs:
        size = len(text.encode(errors="surrogatepass"))
        if batch and (
            len(batch) == min(max_cases, MAX_CASES) or num_bytes + size > MAX_INPUT_BYTES
        ):
            yield batch
            batch, num_bytes = [], 0
        batch.append(text)
        num_bytes += size
    if batch:
        yield batch
