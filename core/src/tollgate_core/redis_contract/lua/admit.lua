-- Admits a request or refuses it; all or nothing: a refusal changes no key.
-- KEYS: 1 ready, 2 subscription, 3 hold, 4 holds, then one key for each limit, in the order of the limits.
-- ARGV: 1 now ms, 2 deadline ms, 3 request id, 4 field of the API key, 5 expected revision, 6 endpoint granted (1/0),
--       7 admission record, 8 limits as JSON: kind, name, limit, cost, rate (units per ms), ends (ms), soft.
-- Answer: JSON {verdict, limit (number of the first one that refuses), retry (ms), limits: [{remaining, reset (ms)}]},
--         what remains being after this request where it is admitted.
local now, deadline, id = tonumber(ARGV[1]), ARGV[2], ARGV[3]

local function answer(verdict, more)
  more = more or {}
  more.verdict = verdict
  return cjson.encode(more)
end

-- The same request again: the first answer was lost on its way, its effect was not.
if redis.call('EXISTS', KEYS[3]) == 1 then return answer('admitted') end
if redis.call('EXISTS', KEYS[1]) == 0 then return answer('cold') end
local subscription = redis.call('HMGET', KEYS[2], 'revision', 'state', ARGV[4])
local expiry = tonumber(subscription[3] or -1)
if not subscription[1] or expiry < 0 or (expiry > 0 and expiry <= now) then return answer('unknown_key') end
if subscription[1] ~= ARGV[5] then return answer('stale') end
if subscription[2] ~= 'active' then return answer('state', {state = subscription[2]}) end
if ARGV[6] ~= '1' then return answer('endpoint') end

local SLACK = 1e-14
local limits = cjson.decode(ARGV[8])
local standing, shown, refusing = {}, {}, nil
for i, limit in ipairs(limits) do
  local key, s = KEYS[4 + i], {}
  if limit.kind == 'counter' then
    local counter = redis.call('HMGET', key, 'used', 'held')
    s.used, s.held = tonumber(counter[1] or 0), tonumber(counter[2] or 0)
    s.remaining = limit.limit - s.used - s.held
    -- Sums of fractions are a little off: what is short by less than that is not. Too little to be a whole unit.
    local slack = math.abs(limit.limit) * SLACK
    s.short = not limit.soft and (s.remaining + slack < limit.cost or s.remaining <= slack)
    s.reset = limit.ends - now
    s.retry = s.reset
  elseif limit.kind == 'rate' then
    local bucket = redis.call('HMGET', key, 'level', 'at')
    local level, at = tonumber(bucket[1] or limit.limit), tonumber(bucket[2] or now)
    s.at = math.max(at, now)  -- gates' clocks differ: time that was credited once is not credited again
    s.remaining = math.min(limit.limit, level + (s.at - at) * limit.rate)
    s.short = s.remaining < limit.cost
    s.retry = math.ceil((limit.cost - s.remaining) / limit.rate)
    s.reset = math.ceil((limit.limit - s.remaining) / limit.rate)
  else
    s.remaining = limit.limit - redis.call('ZCOUNT', key, '(' .. now, '+inf')
    s.short = s.remaining < limit.cost
    s.retry, s.reset = 1000, 1000
  end
  standing[i] = s
  shown[i] = {remaining = s.remaining, reset = s.reset}
  if s.short and not refusing then refusing = i end
end
if refusing then
  local s = standing[refusing]
  return answer('limit', {limit = refusing, retry = s.retry, remaining = math.max(0, s.remaining), limits = shown})
end

local held = {}
for i, limit in ipairs(limits) do
  local key, s = KEYS[4 + i], standing[i]
  if limit.kind == 'counter' then
    redis.call('HSET', key, 'held', string.format('%.17g', s.held + limit.cost))
    redis.call('PEXPIREAT', key, string.format('%.0f', limit.ends + 604800000))
  elseif limit.kind == 'rate' then
    shown[i].reset = math.ceil((limit.limit - s.remaining + limit.cost) / limit.rate)
    redis.call('HSET', key, 'level', string.format('%.17g', s.remaining - limit.cost), 'at', string.format('%.0f', s.at))
    redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(2 * limit.limit / limit.rate) + 60000))
  else
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    redis.call('ZADD', key, deadline, id)
    redis.call('PEXPIREAT', key, deadline)
  end
  held[i] = {kind = limit.kind, key = key, cost = limit.cost, metric = limit.metric, tokens = limit.tokens}
  shown[i].remaining = s.remaining - limit.cost
end
redis.call('HSET', KEYS[3], 'admission', ARGV[7], 'held', cjson.encode(held))
redis.call('ZADD', KEYS[4], deadline, id)
return answer('admitted', {limits = shown})
