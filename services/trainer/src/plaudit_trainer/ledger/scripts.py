"""The state changes of a group as Lua: each is atomic and safe to send twice.

Keys of a run, all under `plaudit:run:<run_id>:`

    state     hash  group -> admitted | ready:<order> | trained:<step>:<order> | dropped:<reason>
    admitted  zset  group -> time of admission
    ready     zset  group -> order of arrival, which is the order of training
    trained   zset  group -> step; only groups that no checkpoint holds yet
    payload   hash  group -> ReadyGroup as JSON, until a checkpoint holds its step
    counts    hash  admitted, trained, dropped:<reason>, order, cursor
    returned  list  ids of groups whose prompts are to be tried again, before new ones
    events    stream of final states, drained into groups.jsonl

and, which no script touches, `success`: a hash of each row's success rate.
"""

KEY_NAMES = (
    "state",
    "admitted",
    "ready",
    "trained",
    "payload",
    "counts",
    "returned",
    "events",
    "fence",
)

_PRELUDE = """
local state, admitted, ready, trained = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local payload, counts, returned, events, fence = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local function count(name) return tonumber(redis.call('HGET', counts, name) or '0') end
local function event(group, what)
  redis.call('XADD', events, 'MAXLEN', '~', 100000, '*', 'group', group, 'state', what)
end
local function drop(group, reason, again)
  redis.call('ZREM', admitted, group)
  redis.call('ZREM', ready, group)
  redis.call('HDEL', payload, group)
  redis.call('HDEL', state, group)
  redis.call('HINCRBY', counts, 'dropped:' .. reason, 1)
  event(group, 'dropped:' .. reason)
  if again == '1' then
    local epoch, position, attempt = string.match(group, '^(%d+)/(%d+)/(%d+)$')
    redis.call('RPUSH', returned, epoch .. '/' .. position .. '/' .. (tonumber(attempt) + 1))
  end
end
"""

# ARGV: bound on groups trained or in flight, rows per epoch, most per call, now
ADMIT = (
    _PRELUDE
    + """
local bound, rows, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local live = redis.call('ZCARD', admitted) + redis.call('ZCARD', ready) + count('trained')
local room = math.min(most, bound - live)
local groups = {}
while #groups < room do
  local group = redis.call('LPOP', returned)
  if not group then
    local cursor = redis.call('HINCRBY', counts, 'cursor', 1) - 1
    group = math.floor(cursor / rows) .. '/' .. (cursor % rows) .. '/0'
  end
  redis.call('HSET', state, group, 'admitted')
  redis.call('ZADD', admitted, ARGV[4], group)
  groups[#groups + 1] = group
end
if #groups > 0 then redis.call('HINCRBY', counts, 'admitted', #groups) end
return groups
"""
)

# ARGV: pairs group, payload. Returns for each 1 when this call made it ready, else 0.
READY = (
    _PRELUDE
    + """
local replies = {}
local function make_ready(group, scored)
  if redis.call('HGET', state, group) ~= 'admitted' then return 0 end
  local order = redis.call('HINCRBY', counts, 'order', 1)
  redis.call('HSET', state, group, 'ready:' .. order)
  redis.call('ZREM', admitted, group)
  redis.call('ZADD', ready, order, group)
  redis.call('HSET', payload, group, scored)
  return 1
end
for i = 1, #ARGV, 2 do replies[#replies + 1] = make_ready(ARGV[i], ARGV[i + 1]) end
return replies
"""
)

# ARGV: reason, '1' to try the prompt again, group... Only groups still in flight are dropped.
DROP = (
    _PRELUDE
    + """
local dropped = 0
for i = 3, #ARGV do
  local now = redis.call('HGET', state, ARGV[i])
  if now == 'admitted' or (now and string.sub(now, 1, 6) == 'ready:') then
    drop(ARGV[i], ARGV[1], ARGV[2])
    dropped = dropped + 1
  end
end
return dropped
"""
)

# ARGV: fence, step, number trained, trained group..., then triples group, reason, again
COMMIT_STEP = (
    _PRELUDE
    + """
if redis.call('GET', fence) ~= ARGV[1] then return redis.error_reply('FENCED') end
local num_trained = tonumber(ARGV[3])
for i = 4, 3 + num_trained do
  local now = redis.call('HGET', state, ARGV[i])
  if not now or string.sub(now, 1, 6) ~= 'ready:' then
    return redis.error_reply('NOTREADY ' .. ARGV[i] .. ' is ' .. (now or 'unknown'))
  end
end
for i = 4, 3 + num_trained do
  local order = string.sub(redis.call('HGET', state, ARGV[i]), 7)
  redis.call('HSET', state, ARGV[i], 'trained:' .. ARGV[2] .. ':' .. order)
  redis.call('ZREM', ready, ARGV[i])
  redis.call('ZADD', trained, ARGV[2], ARGV[i])
end
redis.call('HINCRBY', counts, 'trained', num_trained)
for i = 4 + num_trained, #ARGV, 3 do
  if redis.call('ZSCORE', ready, ARGV[i]) then drop(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
end
return num_trained
"""
)

# ARGV: fence, step. What a checkpoint holds can no longer be rolled back.
CHECKPOINTED = (
    _PRELUDE
    + """
if redis.call('GET', fence) ~= ARGV[1] then return redis.error_reply('FENCED') end
local groups = redis.call('ZRANGEBYSCORE', trained, '-inf', ARGV[2])
for _, group in ipairs(groups) do
  event(group, string.match(redis.call('HGET', state, group), '^(trained:%d+)'))
  redis.call('HDEL', payload, group)
  redis.call('HDEL', state, group)
  redis.call('ZREM', trained, group)
end
return #groups
"""
)

# ARGV: fence, step. Groups trained after the checkpoint take their old place among the ready.
ROLLBACK = (
    _PRELUDE
    + """
if redis.call('GET', fence) ~= ARGV[1] then return redis.error_reply('FENCED') end
local groups = redis.call('ZRANGEBYSCORE', trained, '(' .. ARGV[2], '+inf')
for _, group in ipairs(groups) do
  local order = string.match(redis.call('HGET', state, group), ':(%d+)$')
  redis.call('HSET', state, group, 'ready:' .. order)
  redis.call('ZADD', ready, order, group)
  redis.call('ZREM', trained, group)
end
redis.call('HINCRBY', counts, 'trained', 0 - #groups)
return #groups
"""
)
