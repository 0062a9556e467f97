"""Reward models of segments: arXiv 2501.02790, with a MaxEnt regulariser on their shares.

rows           pairs -> token ids, as the policy makes them
segmenter      where segments end: the reference model's entropy
loss           Bradley-Terry on the segments' mean, and the regulariser
huber          a line through points of which some lie far off
normalization  mean and spread of a segment's reward by its place in the text
method         `method.name = "unit_rm"`
"""
