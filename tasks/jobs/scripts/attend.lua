-- ARGV: namespace, lease in ms, then of each client that waits for a job or reads its stream: the job, the client's token.
-- Only jobs that are canceled when the last client hangs up know of them. `attended` says of each such job when it is due
-- to be looked at: when no lease is left, or when nobody has come back in time.
local lease_ms = tonumber(ARGV[2])
check_indexes()
for i = 3, #ARGV, 2 do
  local clients = key('clients', ARGV[i])
  -- One that somebody has overwritten must not keep the others from being known.
  if type(redis.pcall('ZADD', clients, now + lease_ms, ARGV[i + 1])) == 'number' then
    redis.call('PEXPIRE', clients, 2 * lease_ms)
  end
  redis.call('ZADD', key('attended'), now + lease_ms, ARGV[i])
end
