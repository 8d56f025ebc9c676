-- ARGV: namespace, job, token of the client that leaves, ms that the last one has to come back if it hung up, or '' if it
-- did not. Answer: how many others wait for the job.
local id, token, grace_ms = ARGV[2], ARGV[3], tonumber(ARGV[4])
local clients = key('clients', id)

-- Nobody is known where somebody has overwritten the key.
local function number_of(command, ...)
  local number = redis.pcall(command, clients, ...)
  return type(number) == 'number' and number or 0
end

check_indexes()
local was_known = number_of('ZREM', token) == 1
number_of('ZREMRANGEBYSCORE', '-inf', now)
local others = number_of('ZCARD')
if others > 0 then return others end
if not grace_ms then
  redis.call('ZREM', key('attended'), id)
elseif was_known then -- Or this is a repetition, and others may have come and left since.
  redis.call('ZADD', key('attended'), now + grace_ms, id)
end
return 0
