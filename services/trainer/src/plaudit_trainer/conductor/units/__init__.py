"""DRCA: units of a completion, and what its reward loses when one of them is blanked.

Source: openrlhf/utils/unit_reward.py and unit_extraction.py of the OpenRLHF fork of DRCA.
"""
