-- ARGV: how many. Reply per dead letter, oldest first: its entry, then its fields flat.
local replies = {}
for i, letter in ipairs(redis.call('XRANGE', dead, '-', '+', 'COUNT', ARGV[1])) do
  local fields = letter[2]
  table.insert(fields, 1, letter[1])
  replies[i] = fields
end
return replies
