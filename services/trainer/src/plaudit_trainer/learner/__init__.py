"""The learner: trains on scored groups with TRL's GRPOTrainer, checkpoints, publishes policies.

source       rank 0 takes groups from the ledger, with a bound on the wait
credit       scores of a group -> advantages
batch        groups -> padded tensors
trainer      the seam in TRL
checkpoint   what a resumed run needs, complete or absent
policies     new weights -> an immutable version, announced to the engines
"""
