"""A policy that diverges ends the run; one step with an outlier does not."""

import pytest

from plaudit.errors import PlauditError
from plaudit_trainer.learner.kl_watch import KlWatch


def test_one_step_over_the_bound_is_let_pass():
    watch = KlWatch(max_kl=1.0)
    for kl in (0.1, 27.0, 0.1, None, 5.0, 5.0, 0.2):
        watch.check(kl)


def test_three_in_a_row_end_the_run():
    watch = KlWatch(max_kl=1.0)
    watch.check(2.0)
    watch.check(2.0)
    with pytest.raises(PlauditError, match=r"max_kl = 1 nats per token .* at last 3"):
        watch.check(3.0)
