-- KEYS: entries of the archive (stream). ARGV: the last id that is known, most entries to return.
-- Returns the entries after it, the id of the oldest entry of all, and how many there are.
local found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {found, oldest and oldest[1] or '', redis.call('XLEN', KEYS[1])}
