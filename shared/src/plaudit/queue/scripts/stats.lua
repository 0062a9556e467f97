-- Reply: now, number of dead letters, counts as name, value, ...; then per lane:
-- entries, leased, returned, entry of the oldest or ''.
local reply = {now_ms(), redis.call('XLEN', dead), redis.call('HGETALL', counts)}
for _, lane in ipairs(LANES) do
  local oldest = redis.call('XRANGE', stream(lane), '-', '+', 'COUNT', 1)[1]
  reply[#reply + 1] = {
    redis.call('XLEN', stream(lane)), redis.call('ZCARD', leases(lane)), redis.call('ZCARD', again(lane)),
    oldest and oldest[1] or '',
  }
end
return reply
