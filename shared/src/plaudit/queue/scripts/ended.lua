-- ARGV: job ids. Reply: those that are finished or have no record.
local replies = {}
for i = 1, #ARGV do
  local status = redis.call('HGET', record(ARGV[i]), 'status')
  if status ~= 'queued' and status ~= 'running' then replies[#replies + 1] = ARGV[i] end
end
return replies
