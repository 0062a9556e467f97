-- Drops all dead letters. Reply: how many.
local purged = redis.call('XLEN', dead)
redis.call('UNLINK', dead, dead_index)
return purged
