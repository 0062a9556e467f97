-- ARGV: max_jobs, number of units, size of each unit, then per job: id, lane, traceparent, payload.
-- A unit is taken whole or refused whole. Reply per job: '+' created, '!' refused, else its status.
local max_jobs, units = tonumber(ARGV[1]), tonumber(ARGV[2])
local outstanding = redis.call('XLEN', stream('train')) + redis.call('XLEN', stream('eval'))
local replies, at, created = {}, 3 + units, 0

local function create(job, lane, trace, payload)
  local entry = redis.call('XADD', stream(lane), '*', 'job', job, 'payload', payload, 'trace', trace)
  redis.call('HSET', record(job), 'status', 'queued', 'lane', lane, 'entry', entry)
  count('submitted:' .. lane)
  created = created + 1
end

for unit = 1, units do
  local last = at + 4 * tonumber(ARGV[2 + unit]) - 4
  local status, fresh = {}, 0
  for i = at, last, 4 do
    local job = ARGV[i]
    if not status[job] then
      status[job] = redis.call('HGET', record(job), 'status') or '+'
      if status[job] == '+' then fresh = fresh + 1 end
    end
  end
  local refused = fresh > 0 and outstanding + fresh > max_jobs
  if refused then count('refused', fresh) else outstanding = outstanding + fresh end
  for i = at, last, 4 do
    local job = ARGV[i]
    replies[#replies + 1] = refused and '!' or status[job]
    if not refused and status[job] == '+' then
      create(job, ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
      status[job] = 'queued'
    end
  end
  at = last + 4
end
if created > 0 then wake() end
return replies
