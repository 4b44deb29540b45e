-- Says that the ledger has committed an event (or refused it for good): publishers may forget it, the stream drops it.
-- KEYS: 1 settled, 2 events. ARGV: 1 stream entry, 2 consumer group, 3 how long the confirmation is kept (ms).
redis.call('SET', KEYS[1], 'confirmed', 'PX', ARGV[3])
redis.call('XACK', KEYS[2], ARGV[2], ARGV[1])
return redis.call('XDEL', KEYS[2], ARGV[1])
