"""The critic of actor-critic methods: a value model of its own, beside the policy.

model     backbone and head, from a reward model's directory or the policy's
loss      clipped value loss
critic    values of a step, and what it learns from its returns
"""
