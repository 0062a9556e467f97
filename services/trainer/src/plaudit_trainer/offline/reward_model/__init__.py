"""Reward models by preference: a language model's backbone with a linear head.

rows      pairs -> token ids, as the reward service makes them
model     the head
batch     pairs -> tensors, and where rewards count
loss      Bradley-Terry
trainer   TRL's, with that head
scores    rewards of held-out pairs, and what follows from them
final     the folder that the reward service loads
method    `method.name = "rm"`
"""
