-- ARGV: result_ttl_ms, max_deliveries, max_dead, then per outcome: job, token, outcome, body, delay_ms.
-- outcome: done (body is the result), failed, retry (body is the error), release.
-- Reply per outcome: '1<status>' when this call decided it, '0<status>' when not, '0' without a record.
local result_ttl_ms, max_deliveries, max_dead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local replies = {}

local function hand_back(job, lane, entry, delay_ms)
  redis.call('ZREM', leases(lane), entry)
  redis.call('ZADD', again(lane), delay_ms > 0 and now_ms() + delay_ms or 0, entry)
  redis.call('HSET', record(job), 'status', 'queued')
  wake()  -- a sleeping worker has to learn when it is due
end

-- Only the newest lease may hand a job back or fail it: with an older one, another worker has it.
local function settle_held(job, held, outcome, body, delay_ms)
  local lane, entry, deliveries = held[2], held[3], tonumber(held[5] or 1)
  if outcome == 'failed' then
    finish(job, lane, entry, 'failed', result_ttl_ms, 'error', body)
    return 'failed'
  end
  if held[1] == 'queued' then return 'queued' end
  if outcome == 'release' then
    redis.call('HINCRBY', record(job), 'deliveries', -1)
    count('released:' .. lane)
  elseif deliveries >= max_deliveries then
    bury(job, lane, entry, deliveries, body, result_ttl_ms, max_dead)
    return 'dead'
  else
    redis.call('HSET', record(job), 'error', body)
  end
  hand_back(job, lane, entry, delay_ms)
  return 'queued'
end

local function settle(job, token, outcome, body, delay_ms)
  local held = redis.call('HMGET', record(job), 'status', 'lane', 'entry', 'token', 'deliveries', 'winner')
  local status = held[1]
  if not status then return '0' end
  local open = status == 'running' or status == 'queued'
  if outcome == 'done' then
    if open then
      finish(job, held[2], held[3], 'done', result_ttl_ms, 'result', body, 'winner', token)
      redis.call('HDEL', record(job), 'error')
      return '1done'
    end
    if status == 'done' and held[6] == token then return '1done' end
    count('late')
    return '0' .. status
  end
  if not open or held[4] ~= token then return '0' .. status end
  return '1' .. settle_held(job, held, outcome, body, delay_ms)
end

for i = 4, #ARGV, 5 do
  replies[#replies + 1] = settle(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4]))
end
publish()
return replies
