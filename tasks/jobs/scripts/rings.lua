-- ARGV: namespace, list of the rings, surplus that may stay there, then new rings: as many of them are pushed as are
-- missing. Answer: how many were missing.
local FIRST_RING = 4
local list, spare = ARGV[2], tonumber(ARGV[3])
local missing = redis.call('ZCARD', key('queued')) - redis.call('LLEN', list)

-- Of jobs that ended while no worker listened: nobody else would ever take them away.
if -missing > spare then redis.call('LTRIM', list, -missing, -1) end
for i = FIRST_RING, math.min(#ARGV, FIRST_RING - 1 + missing) do redis.call('LPUSH', list, ARGV[i]) end
return math.max(0, missing)
