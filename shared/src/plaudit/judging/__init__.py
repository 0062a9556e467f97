"""Evaluation jobs: a file of requests to the judge service, a file of its answers."""
