-- ARGV: lease_ms, then per lease: job, token. Reply per lease: '' when renewed, else the
-- status of the job ('running' or 'queued': another lease replaced this one), '?' without a record.
local deadline = now_ms() + tonumber(ARGV[1])
local replies = {}
for i = 2, #ARGV, 2 do
  local held = redis.call('HMGET', record(ARGV[i]), 'status', 'lane', 'entry', 'token')
  local reply = held[1] or '?'
  if held[1] == 'running' and held[4] == ARGV[i + 1] then
    redis.call('ZADD', leases(held[2]), deadline, held[3])
    reply = ''
  end
  replies[#replies + 1] = reply
end
return replies
