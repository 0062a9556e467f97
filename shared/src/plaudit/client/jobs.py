"""The asynchronous form of any verb: start a job, look at it later."""

from urllib.parse import quote

from plaudit.client.http import HttpClient
from plaudit.schemas.common import Contract
from plaudit.schemas.job import JobAccepted, JobRequest, JobView


class JobClient(HttpClient):
    async def submit_job(
        self, verb: str, request: Contract, *, idempotency_key: str | None = None
    ) -> JobAccepted:
        """The same key is the same job, however often it is submitted."""
        body = JobRequest(verb=verb, request=request.model_dump(mode="json"))
        return await self.post("/v1/jobs", body, JobAccepted, idempotency_key=idempotency_key)

    async def job(self, job_id: str, wait_s: float = 0.0) -> JobView:
        """The job when it is finished, or as it is after `wait_s` (at most 60)."""
        timeout_s = self.options.timeout_s + wait_s
        return await self.get(
            f"/v1/jobs/{quote(job_id)}", JobView, params={"wait": wait_s}, timeout_s=timeout_s
        )
