"""The part that runs untrusted code: started as its own process, standard library only.

It is executed with `python -I -S` and an empty environment, so it holds no secret and imports
nothing outside the standard library. See `zygote.py` for the processes.
"""
