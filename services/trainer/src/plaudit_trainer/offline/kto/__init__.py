"""Kahneman-Tversky optimisation, on TRL's KTOTrainer."""
