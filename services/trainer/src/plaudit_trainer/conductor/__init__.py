"""The conductor: keeps groups in flight, has them scored, hands them to the learner.

It holds no state that Redis or the run directory does not hold: kill it, start it, it goes on.
"""
