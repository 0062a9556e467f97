"""What a prompt is made of: templates, a system prompt, the length it asks for."""

from plaudit_trainer.data.prompts.builder import PromptBuilder

__all__ = ["PromptBuilder"]
