-- ARGV: result_ttl_ms, job ids. Reply per job: 1 when this call cancelled it.
local replies = {}
for i = 2, #ARGV do
  local held = redis.call('HMGET', record(ARGV[i]), 'status', 'lane', 'entry')
  local open = held[1] == 'queued' or held[1] == 'running'
  if open then finish(ARGV[i], held[2], held[3], 'cancelled', tonumber(ARGV[1])) end
  replies[#replies + 1] = open and 1 or 0
end
publish()
return replies
