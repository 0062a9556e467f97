"""The learner: trains on scored groups with TRL's GRPOTrainer, checkpoints, publishes policies.

source       rank 0 takes groups from the ledger, with a bound on the wait
credit       scores of a group -> what each completion is worth
batch        groups -> padded tensors
trainer      the seam in TRL
method       what the recipe's method makes of a batch: advantages, and a critic taught
advantage/   the methods' estimators
critic/      the value model of actor-critic methods
checkpoint   what a resumed run needs, complete or absent
policies     new weights -> an immutable version, announced to the engines
"""
