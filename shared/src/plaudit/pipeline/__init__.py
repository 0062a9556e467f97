"""Recipes in sequence: what one stage leaves is handed to those after it."""
