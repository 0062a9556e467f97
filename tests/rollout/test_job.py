"""Names of jobs."""

import pytest

from plaudit.errors import Rejected
from plaudit_rollout.job import job_id


def test_the_same_group_has_the_same_job_id():
    assert job_id("run", "0/1/0") == job_id("run", "0/1/0") == "run/0/1/0"


def test_different_groups_never_share_a_job_id():
    assert job_id("a/b", "c") != job_id("a", "b/c")
    assert job_id("a%2Fb", "c") != job_id("a/b", "c")


def test_ids_that_are_too_long_together_are_refused():
    with pytest.raises(Rejected, match="at most 512"):
        job_id("/" * 128, "g" * 256)
