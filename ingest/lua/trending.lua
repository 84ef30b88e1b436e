-- Count what people did with items, so that nobody counts for much.
-- KEYS: scores of the five minutes, people by item of the hour, pairs of person and item of the hour.
-- ARGV: most of one person for one item, most pairs, life (s), then item, pair and weight, again and again.
local cap, most_pairs, life = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local room = most_pairs - redis.call('HLEN', KEYS[3])
for place = 4, #ARGV, 3 do
  local item, pair, weight = ARGV[place], ARGV[place + 1], ARGV[place + 2]
  local counted = tonumber(redis.call('HGET', KEYS[3], pair) or '0')
  if counted < cap and (counted > 0 or room > 0) then
    redis.call('HINCRBY', KEYS[3], pair, 1)
    redis.call('ZINCRBY', KEYS[1], weight, item)
    if counted == 0 then
      room = room - 1
      redis.call('HINCRBY', KEYS[2], item, 1)
    end
  end
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, life) end
return redis.status_reply('OK')
