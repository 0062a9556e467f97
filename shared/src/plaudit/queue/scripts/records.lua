-- ARGV: job ids. Reply per job: status, lane, entry, deliveries, error, result.
-- Stops early when the results get long; ask again for the rest.
local replies, num_bytes = {}, 0
for i = 1, #ARGV do
  num_bytes = num_bytes + redis.call('HSTRLEN', record(ARGV[i]), 'result')
  if i > 1 and num_bytes > 16 * 1024 * 1024 then break end
  replies[i] = redis.call('HMGET', record(ARGV[i]), 'status', 'lane', 'entry', 'deliveries', 'error', 'result')
end
return replies
