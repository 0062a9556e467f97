-- KEYS: entries of the archive (stream), their members (set), keys of all archives (set).
-- ARGV: most entries, most archives, ttl (ms), then entries, each of which begins with its member
-- (16 bytes). Returns how many were new and how many old ones had to go; -1 where there are too
-- many archives for another one.
local entries, members, archives = KEYS[1], KEYS[2], KEYS[3]
local most, most_archives, ttl_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

if redis.call('EXISTS', entries) == 0 then
  for _, known in ipairs(redis.call('SMEMBERS', archives)) do
    if redis.call('EXISTS', known) == 0 then redis.call('SREM', archives, known) end
  end
  if redis.call('SCARD', archives) >= most_archives then return {-1, 0} end
  redis.call('SADD', archives, entries)
  redis.call('DEL', members)
end

local added = 0
for index = 4, #ARGV do
  if redis.call('SADD', members, string.sub(ARGV[index], 1, 16)) == 1 then
    redis.call('XADD', entries, '*', 'e', ARGV[index])
    added = added + 1
  end
end

local excess = math.max(0, redis.call('XLEN', entries) - most)
if excess > 0 then
  for _, entry in ipairs(redis.call('XRANGE', entries, '-', '+', 'COUNT', excess)) do
    redis.call('SREM', members, string.sub(entry[2][2], 1, 16))
    redis.call('XDEL', entries, entry[1])
  end
end
redis.call('PEXPIRE', entries, ttl_ms)
redis.call('PEXPIRE', members, ttl_ms)
return {added, excess}
