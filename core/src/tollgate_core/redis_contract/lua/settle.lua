-- Settles a request: releases what it held, counts what it used, appends its usage event. Idempotent by request id.
-- KEYS: 1 hold, 2 holds, 3 settled, 4 events.
-- ARGV: 1 request id, 2 event JSON, 3 final (1: append; 0: keep as provisional until the access log has spoken;
--       release: only let go of what a settled request holds),
--       4 deadline ms of a provisional one, 5 joined (1: the caller has seen the provisional event),
--       6 counters as JSON: [{key, metric, quantity, expires}], 7 tokens used, 8 admission record.
-- Keys named in argument 6 and in the hold carry the same hash tag as KEYS.
-- Answer: {status, detail}: duplicate, open (nothing to release), provisional, join (detail: the provisional event), settled (detail: stream id).
local function number(value) return string.format('%.17g', value) end

local function release(tokens)
  for _, hold in ipairs(cjson.decode(redis.call('HGET', KEYS[1], 'held') or '[]')) do
    if hold.kind == 'counter' then
      local held = redis.call('HGET', hold.key, 'held')
      if held then redis.call('HSET', hold.key, 'held', number(math.max(0, tonumber(held) - hold.cost))) end
    elseif hold.kind == 'rate' then
      if hold.tokens and redis.call('EXISTS', hold.key) == 1 then
        local level = tonumber(redis.call('HGET', hold.key, 'level') or 0)
        redis.call('HSET', hold.key, 'level', number(level + hold.cost - tokens))
      end
    else
      redis.call('ZREM', hold.key, ARGV[1])
    end
  end
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
end

local state = redis.call('GET', KEYS[3])
if state then
  -- A Redis that lost its last writes may have the hold again of a request that the ledger has long recorded.
  if redis.call('EXISTS', KEYS[1]) == 1 then release(tonumber(ARGV[7])) end
  return {'duplicate', state}
end
if ARGV[3] == 'release' then return {'open', ''} end

if ARGV[3] ~= '1' then
  redis.call('HSET', KEYS[1], 'provisional', ARGV[2], 'admission', ARGV[8])
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
  return {'provisional', ''}
end
if ARGV[5] ~= '1' then
  local provisional = redis.call('HGET', KEYS[1], 'provisional')
  if provisional then return {'join', provisional} end
end

release(tonumber(ARGV[7]))
for _, use in ipairs(cjson.decode(ARGV[6])) do
  local used = tonumber(redis.call('HGET', use.key, 'used') or 0) + use.quantity
  redis.call('HSET', use.key, 'used', number(used))
  redis.call('PEXPIREAT', use.key, string.format('%.0f', use.expires))
end
local entry = redis.call('XADD', KEYS[4], '*', 'event', ARGV[2])
-- Without an expiry: it must outlive everything until the ledger has confirmed the event, and gets one then.
redis.call('SET', KEYS[3], 'appended')
return {'settled', entry}
