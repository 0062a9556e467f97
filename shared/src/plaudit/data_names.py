"""What a recipe may call a data set or a template."""

import re

JSON_SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz")
DATA_SUFFIXES = (*JSON_SUFFIXES, ".parquet")
TEMPLATE_SUFFIX = ".jinja"
_HUB_NAME = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")


def is_hub_name(name: str) -> bool:
    """owner/name on the Hugging Face hub, and no file's."""
    return _HUB_NAME.fullmatch(name) is not None and not name.endswith(DATA_SUFFIXES)


def is_template_file(text: str) -> bool:
    return text.endswith(TEMPLATE_SUFFIX) and "\n" not in text
