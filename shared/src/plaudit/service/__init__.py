"""What every HTTP service and every worker process has."""

from plaudit.service.app import create_app
from plaudit.service.body import idempotency_key, json_docs, json_response, read_model
from plaudit.service.caller import caller_of
from plaudit.service.deadline import caller_deadline_s
from plaudit.service.exit import guard
from plaudit.service.gate import count_refusal
from plaudit.service.health import Check
from plaudit.service.jobs import JobVerb, add_job_routes, job_id_of, owner_of
from plaudit.service.server import serve
from plaudit.service.worker import run_worker

__all__ = [
    "Check",
    "JobVerb",
    "add_job_routes",
    "caller_deadline_s",
    "caller_of",
    "count_refusal",
    "create_app",
    "guard",
    "idempotency_key",
    "job_id_of",
    "json_docs",
    "json_response",
    "owner_of",
    "read_model",
    "run_worker",
    "serve",
]
