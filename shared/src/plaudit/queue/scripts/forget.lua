-- ARGV: job ids. Drops the records of finished jobs; others are left alone. Reply: how many.
local forgotten = 0
for i = 1, #ARGV do
  local status = redis.call('HGET', record(ARGV[i]), 'status')
  if status and status ~= 'queued' and status ~= 'running' then
    forgotten = forgotten + redis.call('UNLINK', record(ARGV[i]))
  end
end
return forgotten
