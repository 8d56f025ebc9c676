-- ARGV: namespace, job, token of a client that waits for the job, lease in ms. Only jobs that are canceled when the last
-- client hangs up know who waits for them.
local clients, lease_ms = key('clients', ARGV[2]), tonumber(ARGV[4])
redis.call('ZADD', clients, now + lease_ms, ARGV[3])
redis.call('PEXPIRE', clients, 2 * lease_ms)
