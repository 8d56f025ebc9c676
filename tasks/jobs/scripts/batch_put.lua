-- refused when memory is full
-- ARGV: namespace, batch, for how many ms to keep what no `batch_start` asks for, then indexes and items.
local items = key('batch_items', ARGV[2])
redis.call('HSET', items, unpack(ARGV, 4))
redis.call('PEXPIRE', items, ARGV[3])
