-- Remove a key that still holds what was read. KEYS: the key. ARGV: what was read.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
