-- ARGV: max_jobs, most to retry now, job ids or nothing for the oldest.
-- Reply: how many were queued again, how many were passed over (no letter, or unfinished under
-- the same id), 1 when the bound of the queue stopped it.
local max_jobs, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local letters, retried, passed = {}, 0, 0
for i = 3, #ARGV do
  local letter = redis.call('HGET', dead_index, ARGV[i])
  local found = letter and redis.call('XRANGE', dead, letter, letter)[1]
  if found then letters[#letters + 1] = found else passed = passed + 1 end
end
if #ARGV == 2 then letters = redis.call('XRANGE', dead, '-', '+', 'COUNT', most) end

local room = max_jobs - redis.call('XLEN', stream('train')) - redis.call('XLEN', stream('eval'))
for _, letter in ipairs(letters) do
  if retried >= room then return {retried, passed, 1} end
  local fields = letter[2]
  local job, lane = fields[2], fields[8]
  local status = redis.call('HGET', record(job), 'status')
  redis.call('XDEL', dead, letter[1])
  redis.call('HDEL', dead_index, job)
  if status and status ~= 'dead' then
    passed = passed + 1
  else
    local entry = redis.call('XADD', stream(lane), '*', 'job', job, 'payload', fields[4], 'trace', fields[6])
    redis.call('DEL', record(job))
    redis.call('HSET', record(job), 'status', 'queued', 'lane', lane, 'entry', entry)
    retried = retried + 1
    count('revived:' .. lane)
    wake()
  end
end
return {retried, passed, 0}
