-- Opens a partition, if everything that was written since its filling began is still there.
-- KEYS: 1 the mark of this filling, 2 ready. ARGV: 1 value of ready. Answer: 1 where opened, 0 where the mark is gone.
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[2], ARGV[1])
return 1
