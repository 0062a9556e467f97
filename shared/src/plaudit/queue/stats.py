"""Reads the state of a queue: gauges from the lengths of its keys, totals from its counters."""

from collections.abc import Mapping, Sequence

from plaudit.queue.link import Link
from plaudit.queue.model import LANES, LaneStats, QueueStats
from plaudit.queue.wire import entry_time_s
from plaudit.schemas.common import Lane

TOTALS = (
    "submitted", "done", "failed", "dead", "cancelled", "redelivered", "lapsed", "released",
)  # fmt: skip


async def read_stats(link: Link) -> QueueStats:
    now_ms, num_dead, flat, *lanes = await link.run("stats", [])
    counts = {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}
    return QueueStats(
        queue=link.queue,
        lanes={
            lane: _lane_stats(lane, reply, counts, now_ms / 1000)
            for lane, reply in zip(LANES, lanes, strict=True)
        },
        dead=num_dead,
        dead_dropped=int(counts.get("dead_dropped", 0)),
        refused=int(counts.get("refused", 0)),
        late=int(counts.get("late", 0)),
    )


def _lane_stats(
    lane: Lane, reply: Sequence[int | bytes], counts: Mapping[str, bytes], now_s: float
) -> LaneStats:
    entries, leased, returned = (int(number) for number in reply[:3])
    oldest = reply[3]
    has_oldest = isinstance(oldest, bytes) and oldest != b""
    return LaneStats(
        queued=entries - leased,
        running=leased,
        lag=entries - leased - returned,
        oldest_age_s=max(0.0, now_s - entry_time_s(oldest)) if has_oldest else 0.0,  # type: ignore[arg-type]
        **{name: int(counts.get(f"{name}:{lane}", 0)) for name in TOTALS},
    )
