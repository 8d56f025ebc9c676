-- ARGV: namespace, list of the rings, surplus that may stay there, then new rings: as many of them are pushed as are
-- missing. Answer: how many were missing.
local FIRST_RING = 4
local list, spare = ARGV[2], tonumber(ARGV[3])
check_indexes()
expect('list', list)
local rings = redis.call('LLEN', list)
local waiting = redis.call('ZCARD', key('queued'))
local missing = math.max(0, waiting - rings)

-- Of jobs that ended while no worker listened: nobody else would ever take them away.
local surplus = rings - math.max(waiting, redis.call('ZCOUNT', key('index'), '+inf', '+inf'))
if surplus > spare then redis.call('LTRIM', list, surplus, -1) end
for i = FIRST_RING, math.min(#ARGV, FIRST_RING - 1 + missing) do redis.call('LPUSH', list, ARGV[i]) end
return missing
