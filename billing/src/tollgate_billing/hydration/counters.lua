-- Writes what the ledger knows of the metric counters of one partition.
-- KEYS: 1 events, then one counter each.
-- ARGV: 1 mode: exact (only while the stream is empty and its last id is argument 2) or raise (where it is lower),
--       2 last id of the stream, then for each counter: used, expires (ms).
-- Answer: 1 where written, 0 where events arrived meanwhile.
if ARGV[1] == 'exact' then
  if redis.call('XLEN', KEYS[1]) > 0 then return 0 end
  local last = '0-0'
  if redis.call('EXISTS', KEYS[1]) == 1 then
    local info = redis.call('XINFO', 'STREAM', KEYS[1])
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
  end
  if last ~= ARGV[2] then return 0 end
end
for i = 2, #KEYS do
  local used, expires = ARGV[2 * i - 1], ARGV[2 * i]
  local present = tonumber(redis.call('HGET', KEYS[i], 'used') or 0)
  if ARGV[1] == 'exact' or present < tonumber(used) then
    redis.call('HSET', KEYS[i], 'used', used)
    redis.call('PEXPIREAT', KEYS[i], expires)
  end
end
return 1
