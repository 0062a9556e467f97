"""What /metrics of a worker of the pool `model` says. Models are those of the settings: few."""

from plaudit.telemetry import counter, gauge, histogram
from plaudit.telemetry.metrics import SIZE_BUCKETS

BATCH_TEXTS = histogram(
    "plaudit_reward_model_batch_texts", "Texts in one batch.", ["model"], SIZE_BUCKETS
)
BATCH_SECONDS = histogram(
    "plaudit_reward_model_batch_seconds", "Time of one batch, or of one call to vLLM.", ["model"]
)
TOKENS = counter(
    "plaudit_reward_model_tokens_total", "Tokens computed: text, padding.", ["model", "what"]
)
LOAD_SECONDS = gauge(
    "plaudit_reward_model_load_seconds", "How long the last load of a model took.", ["model"]
)
RESIDENT = gauge("plaudit_reward_model_resident", "1 while the model is in memory.", ["model"])
TRUNCATED = counter(
    "plaudit_reward_model_truncated_total", "Texts that were cut to max_length_tokens.", ["model"]
)
WAITING = gauge("plaudit_reward_model_waiting_texts", "Texts that wait for a batch.", ["device"])
DISCRIMINATOR_VERSION = gauge(
    "plaudit_reward_discriminator_version", "Version that this worker scores with.", ["model"]
)
DISCRIMINATOR_UPDATES = counter(
    "plaudit_reward_discriminator_updates_total",
    "Updates: learned (also one that is sent again), empty (without an example), refused.",
    ["model", "outcome"],
)
DISCRIMINATOR_LOSS = gauge(
    "plaudit_reward_discriminator_loss", "Cross-entropy before this worker's last step.", ["model"]
)
DISCRIMINATOR_ACCURACY = gauge(
    "plaudit_reward_discriminator_accuracy", "Accuracy before this worker's last step.", ["model"]
)
