-- Take items out of every answer, or let them back in; whoever keeps the set reads it anew when the mark differs.
-- KEYS: the set, the mark. ARGV: a mark never used before, how many go, those, then those that come back.
local going, changed = tonumber(ARGV[2]), 0
for place = 3, #ARGV do
  changed = changed + redis.call(place - 2 <= going and 'SADD' or 'SREM', KEYS[1], ARGV[place])
end
if changed > 0 then redis.call('SET', KEYS[2], ARGV[1]) end
return changed
