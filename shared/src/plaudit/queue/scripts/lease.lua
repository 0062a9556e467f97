-- ARGV: worker, most jobs, lease_ms, max_deliveries, eval_share, result_ttl_ms, max_dead.
-- Reply: ms until something more may be due (-1: not known), then per job:
-- id, payload, traceparent, 'lane deliveries token'.
local worker, most, lease_ms, max_deliveries = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local eval_share, result_ttl_ms, max_dead = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local now = now_ms()
local reply, num_bytes, MAX_BYTES = {-1}, 0, 16 * 1024 * 1024

-- Entries are delivered in order, so all up to this one have been.
local function newest_delivered(lane)
  local newest, newest_ms, newest_seq = '0', 0, 0
  for _, key in ipairs({leases(lane), again(lane)}) do
    for _, entry in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      local ms, seq = string.match(entry, '^(%d+)-(%d+)$')
      ms, seq = tonumber(ms), tonumber(seq)
      if ms > newest_ms or (ms == newest_ms and seq > newest_seq) then
        newest, newest_ms, newest_seq = entry, ms, seq
      end
    end
  end
  return newest
end

-- The group is missing on first use and after somebody removed it; leases outlive that.
local function ensure_group(lane)
  local joined = redis.pcall('XGROUP', 'CREATECONSUMER', stream(lane), GROUP, worker)
  if type(joined) == 'table' and joined.err then
    redis.call('XGROUP', 'CREATE', stream(lane), GROUP, newest_delivered(lane), 'MKSTREAM')
  end
end

-- A lapsed lease goes back to its lane, or to the dead letters when it lapsed too often.
local function reap(lane)
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', leases(lane), '-inf', now, 'LIMIT', 0, 100)) do
    local found = redis.call('XRANGE', stream(lane), entry, entry)[1]
    local job = found and found[2][2]
    if not job then
      leave(lane, entry)
    else
      local held = redis.call('HMGET', record(job), 'deliveries', 'worker')
      count('lapsed:' .. lane)
      if tonumber(held[1] or 0) >= max_deliveries then
        bury(job, lane, entry, held[1], 'the lease of worker ' .. (held[2] or '?') ..
          ' lapsed: it died, hung or was cut off; delivery ' .. held[1] .. ' of ' .. max_deliveries,
          result_ttl_ms, max_dead)
      else
        redis.call('ZREM', leases(lane), entry)
        redis.call('ZADD', again(lane), now, entry)
        redis.call('HSET', record(job), 'status', 'queued')
      end
    end
  end
end

local function num_new(lane)
  return redis.call('XLEN', stream(lane)) - redis.call('ZCARD', leases(lane)) - redis.call('ZCARD', again(lane))
end

-- Of `most` leases, how many go to eval: its share when both lanes have more than enough.
local function share_out(train, eval)
  if train + eval <= most or train == 0 or eval == 0 then
    return math.min(train, most), math.min(eval, most)
  end
  local credit = tonumber(redis.call('HGET', counts, 'credit') or 0) + eval_share * most
  local to_eval = math.max(math.min(math.floor(credit + 1e-9), eval), most - train)
  redis.call('HSET', counts, 'credit', tostring(math.max(0, math.min(1, credit - to_eval))))
  return most - to_eval, to_eval
end

local function deliver(lane, entry, fields)
  local job = fields[2]
  local token = redis.call('HINCRBY', counts, 'token', 1)
  local deliveries = redis.call('HINCRBY', record(job), 'deliveries', 1)
  redis.call('HSET', record(job), 'status', 'running', 'lane', lane, 'entry', entry, 'token', token, 'worker', worker)
  redis.call('ZADD', leases(lane), now + lease_ms, entry)
  if deliveries > 1 then count('redelivered:' .. lane) end
  num_bytes = num_bytes + #fields[4]
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3] = job, fields[4], fields[6]
  reply[n + 4] = lane .. ' ' .. deliveries .. ' ' .. token
end

local function take_returned(lane, wanted)
  local entries = redis.call('ZRANGEBYSCORE', again(lane), '-inf', now, 'LIMIT', 0, wanted)
  for _, entry in ipairs(entries) do
    redis.call('ZREM', again(lane), entry)
    local claimed = redis.call('XCLAIM', stream(lane), GROUP, worker, 0, entry, 'FORCE')[1]
    if claimed then deliver(lane, entry, claimed[2]) end
  end
  return wanted - #entries
end

local function take(lane, wanted)
  if wanted > 0 then wanted = take_returned(lane, wanted) end
  if wanted <= 0 then return end
  while wanted > 0 and num_bytes < MAX_BYTES do
    local some = math.min(wanted, 16)
    local read = redis.call('XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', some, 'STREAMS', stream(lane), '>')
    if not read then return end
    for _, entry in ipairs(read[1][2]) do deliver(lane, entry[1], entry[2]) end
    wanted = wanted - some
  end
end

local function ms_until_due()
  local soonest = -1
  for _, lane in ipairs(LANES) do
    for _, key in ipairs({leases(lane), again(lane)}) do
      local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
      if first[2] then
        local wait = math.max(0, tonumber(first[2]) - now)
        if soonest < 0 or wait < soonest then soonest = wait end
      end
    end
  end
  return soonest
end

local available = {}
for _, lane in ipairs(LANES) do
  ensure_group(lane)
  reap(lane)
  available[lane] = redis.call('ZCOUNT', again(lane), '-inf', now) + num_new(lane)
end
local from_train, from_eval = share_out(available.train, available.eval)
take('train', from_train)
take('eval', from_eval)
publish()
if #reply == 1 then
  redis.call('DEL', wake_key)
  reply[1] = ms_until_due()
elseif num_new('train') + num_new('eval') > 0 then
  wake()
end
return reply
