-- Goes before every script. KEYS[1] is the prefix of all keys of one queue:
--   <lane>         stream: every unfinished job, finished ones are deleted
--   <lane>:leases  zset  entry -> time (ms) at which its lease lapses
--   <lane>:again   zset  entry -> time (ms) from which it may be delivered again
--   job:<id>       hash: status, lane, entry, deliveries, token, worker, error, result
--   dead           stream: job, payload, trace, lane, deliveries, error, submitted
--   dead:index     hash  job -> entry of `dead`
--   counts         hash of totals since the queue was made
--   wake           list with at most one element: there may be work for a blocked worker
--   finished       channel: ids of jobs that just got a terminal record, one a line
local prefix, GROUP, LANES = KEYS[1], 'workers', {'train', 'eval'}
local counts, dead, dead_index = prefix .. 'counts', prefix .. 'dead', prefix .. 'dead:index'
local wake_key = prefix .. 'wake'
local finished = {}

local function record(job) return prefix .. 'job:' .. job end
local function stream(lane) return prefix .. lane end
local function leases(lane) return prefix .. lane .. ':leases' end
local function again(lane) return prefix .. lane .. ':again' end
local function count(name, by) redis.call('HINCRBY', counts, name, by or 1) end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- One token is enough: a worker that finds more work than it takes passes it on.
local function wake()
  if redis.call('LLEN', wake_key) == 0 then redis.call('LPUSH', wake_key, '1') end
end

-- Frees memory before anything else is written, so a full Redis can still finish its jobs.
local function leave(lane, entry)
  redis.call('XACK', stream(lane), GROUP, entry)
  redis.call('XDEL', stream(lane), entry)
  redis.call('ZREM', leases(lane), entry)
  redis.call('ZREM', again(lane), entry)
end

local function finish(job, lane, entry, status, ttl_ms, ...)
  leave(lane, entry)
  redis.call('HSET', record(job), 'status', status, ...)
  redis.call('PEXPIRE', record(job), ttl_ms)
  count(status .. ':' .. lane)
  finished[#finished + 1] = job
end

local function forget_letter(job)
  local letter = redis.call('HGET', dead_index, job)
  if letter then
    redis.call('XDEL', dead, letter)
    redis.call('HDEL', dead_index, job)
  end
end

-- What does not fit in the dead-letter stream pushes out the oldest, and is counted.
local function bury(job, lane, entry, deliveries, error_text, ttl_ms, max_dead)
  local found = redis.call('XRANGE', stream(lane), entry, entry)[1]
  local fields = found and found[2] or {'job', job, 'payload', '', 'trace', ''}
  finish(job, lane, entry, 'dead', ttl_ms, 'error', error_text)
  forget_letter(job)
  local letter = redis.call('XADD', dead, '*', 'job', job, 'payload', fields[4], 'trace', fields[6],
    'lane', lane, 'deliveries', deliveries, 'error', error_text, 'submitted', entry)
  redis.call('HSET', dead_index, job, letter)
  while redis.call('XLEN', dead) > max_dead do
    local oldest = redis.call('XRANGE', dead, '-', '+', 'COUNT', 1)[1]
    redis.call('XDEL', dead, oldest[1])
    redis.call('HDEL', dead_index, oldest[2][2])
    count('dead_dropped')
  end
end

local function publish()
  if #finished > 0 then
    redis.call('PUBLISH', prefix .. 'finished', table.concat(finished, '\n'))
  end
end
