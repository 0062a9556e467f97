"""Quote untrusted text so that it can neither end its own quotation nor speak the chat template."""

import hashlib
import re

# Endpoints apply the chat template to plain text, so a control token inside an answer would be
# read as the end of the user's turn. A space after the first character makes it ordinary text.
_CONTROL_TOKEN = re.compile(
    # ChatML, Llama 3 and 4, Phi, Command, GLM, Granite, Kimi, Harmony; DeepSeek, Hunyuan
    r"[<＜](?=[|｜][^<>\n]{1,64}[|｜][>＞])"  # noqa: RUF001
    # Gemma 4
    r"|<(?=\|/?\w{1,32}>|/?\w{1,32}\|>)"
    # Llama 2, Mistral, Gemma, InternLM, GLM, Ling
    r"|<(?=/?(?:s|bos|eos|pad|unk|sep|sop|eop|eoh|eoa|role|start_of_turn|end_of_turn)>)"
    # Nemotron, Baichuan, InternLM, Command, Seed
    r"|<(?=(?:extra_id|special|reserved|tokens_unused)_\d{1,4}>|[a-z]{3}_token>|/?seed:\w{1,32}>)"
    r"|<(?=</?SYS>>)"
    # Mistral, GLM, Kimi; EXAONE
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|MODEL_SETTINGS|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS"
    r"|TOOL_CONTENT|THINK|gMASK|sMASK|BOS|EOS)\])"
    r"|\[(?=\|(?:system|user|assistant|tool|endofturn)\|\])"
    # MiniMax
    r"|\](?=~!?b[\[\]])|\[(?=e~\[)"
    # Ours: a tag with another fence ends nothing, and shall not look as if it did.
    r"|<(?=/?(?:question|response|reference)-)",
    re.IGNORECASE,
)


def defuse(text: str) -> str:
    """`text` with control tokens of chat templates, and our tags, taken apart by a space."""
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
