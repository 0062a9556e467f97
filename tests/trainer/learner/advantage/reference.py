"""The methods once more, in plain Python: written from the papers, one completion at a time."""

import math

TINY = 1e-8


def known_rewards(samples, rewards, group):
    return [r for s, r in zip(samples, rewards, strict=True) if s.group == group and r is not None]


def grpo(samples, *, is_scaled=True):
    found = []
    for sample in samples:
        known = known_rewards(samples, [s.reward for s in samples], sample.group)
        if sample.reward is None or len(known) < 2:
            found.append(0.0)
            continue
        mean = math.fsum(known) / len(known)
        std = math.sqrt(math.fsum((r - mean) ** 2 for r in known) / (len(known) - 1))
        found.append((sample.reward - mean) / (std + 1e-4 if is_scaled else 1.0))
    return found


def rloo(samples, coefficient=0.0):
    rewards = [
        None if s.reward is None else s.reward - coefficient * (0.0 if s.is_masked else sum(s.kl))
        for s in samples
    ]
    found = []
    for index, sample in enumerate(samples):
        others = [
            r
            for other, r in enumerate(rewards)
            if other != index and samples[other].group == sample.group and r is not None
        ]
        own = rewards[index]
        found.append(0.0 if own is None or not others else own - sum(others) / len(others))
    return found


def token_rewards(sample, coefficient):
    """Outcome at the end, limited, less the KL; nothing where masked."""
    if sample.is_masked:
        return [0.0] * sample.num_tokens
    rewards = list(sample.token_rewards) or [0.0] * sample.num_tokens
    rewards[-1] += sample.reward
    return less_kl(sample, rewards, coefficient)


def less_kl(sample, rewards, coefficient):
    kl = sample.kl or [0.0] * sample.num_tokens
    return [min(10.0, max(-10.0, r)) - coefficient * k for r, k in zip(rewards, kl, strict=True)]


def gae(rewards, values, gamma, lam):
    """The definition: A_t = sum_l (gamma lam)^l delta_{t+l}."""
    after = [*values[1:], 0.0]
    deltas = [r + gamma * n - v for r, n, v in zip(rewards, after, values, strict=True)]
    return [
        math.fsum((gamma * lam) ** step * delta for step, delta in enumerate(deltas[t:]))
        for t in range(len(deltas))
    ]


def whitened(samples, columns):
    """Over the tokens of unmasked completions."""
    tokens = [x for s, c in zip(samples, columns, strict=True) if not s.is_masked for x in c]
    mean = math.fsum(tokens) / max(1, len(tokens))
    variance = math.fsum((x - mean) ** 2 for x in tokens) / max(1, len(tokens))
    return [
        [0.0] * s.num_tokens
        if s.is_masked
        else [(x - mean) / math.sqrt(max(variance, TINY)) for x in c]
        for s, c in zip(samples, columns, strict=True)
    ]


def reinforce_pp(samples, coefficient=0.0):
    rewards = [token_rewards(s, coefficient) for s in samples]
    return whitened(samples, [gae(r, [0.0] * len(r), 1.0, 1.0) for r in rewards])


def ppo(samples, coefficient=0.0, gamma=1.0, lam=0.95, rewards=None):
    rewards = rewards or [token_rewards(s, coefficient) for s in samples]
    return [
        [0.0] * s.num_tokens if s.is_masked else gae(r, s.values, gamma, lam)
        for s, r in zip(samples, rewards, strict=True)
    ]


def drca_rewards(sample, beta):
    rewards = list(sample.token_rewards) or [0.0] * sample.num_tokens
    known = [u for u in sample.units if u.difference is not None and u.start < sample.num_tokens]
    outcome = 0.0 if sample.reward is None else sample.reward
    shares = [0.0] * sample.num_tokens
    for unit in known:
        end = min(unit.end, sample.num_tokens)
        for token in range(unit.start, end):
            shares[token] += beta * unit.difference / (end - unit.start)
    shares[-1] = (1 - beta) * outcome if known else outcome
    return [a + b for a, b in zip(rewards, shares, strict=True)]
