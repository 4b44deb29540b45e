-- Makes a subscription's hash say what SQL says, unless Redis has a later revision already (another thread or process
-- may have been faster). KEYS: 1 subscription. ARGV: 1 revision, then field, value, field, value, ...
local present = tonumber(redis.call('HGET', KEYS[1], 'revision') or -1)
if present > tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
