"""The wire of OpenRLHF's remote reward models, in both directions.

Read from OpenRLHF at commit 3c3be62 (cli/serve_rm.py, utils/agent.py, utils/remote_rm_utils.py
before commit 6298708): a server gets whole texts and gives a number for each.
"""
