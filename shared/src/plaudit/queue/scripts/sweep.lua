-- ARGV: idle_ms. Removes consumers of workers that are gone and hold nothing. Reply: how many.
local removed = 0
for _, lane in ipairs(LANES) do
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream(lane), GROUP)
  if not consumers.err then
    for _, consumer in ipairs(consumers) do
      -- name, pending and idle are the first three fields on every version
      if consumer[4] == 0 and consumer[6] > tonumber(ARGV[1]) then
        redis.call('XGROUP', 'DELCONSUMER', stream(lane), GROUP, consumer[2])
        removed = removed + 1
      end
    end
  end
end
return removed
