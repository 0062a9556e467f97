"""Advantage estimators: what each token of a scored batch gained or lost, by method.

batch          what an estimator sees
estimator      the estimators by name of method
groups         statistics of the groups, whichever rank their completions are on
tokens         rewards per token, returns, generalised advantage estimation, whitening
kl             distance to the reference model, and what steers its coefficient
rewards        running normalisation and clipping of totals
grpo, rloo, reinforce_pp, ppo, drca, unit_ppo     one method each
"""
