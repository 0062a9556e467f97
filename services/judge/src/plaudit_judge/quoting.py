"""Quote untrusted text so that it can neither end its own quotation nor speak the chat template."""

import hashlib
import re

# Endpoints apply the chat template to plain text, so a control token inside an answer would be
# read as the end of the user's turn. A space after the first character makes it ordinary text.
_CONTROL_TOKEN = re.compile(
    r"<(?=[|｜][^<>\n]{1,64}[|｜]>)"  # noqa: RUF001 (the full-width bar is DeepSeek's)
    r"|<(?=/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn)>)"
    r"|<(?=</?SYS>>)"
    r"|\[(?=/?INST\])",
    re.IGNORECASE,
)


def defuse(text: str) -> str:
    """`text` with the control tokens of the usual chat templates taken apart by a space."""
    return _CONTROL_TOKEN.sub(lambda match: match[0] + " ", text)


def fence_for(*texts: str, num_chars: int = 16) -> str:
    """A delimiter that occurs in none of `texts`; equal texts give equal delimiters."""
    digest = hashlib.sha256()
    for text in texts:
        encoded = text.encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(8))
        digest.update(encoded)
    fence = digest.hexdigest()[:num_chars]
    while any(fence in text for text in texts):
        digest.update(b"again")
        fence = digest.hexdigest()[:num_chars]
    return fence
