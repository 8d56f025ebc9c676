-- needs: deliveries
-- ARGV: namespace, lease in ms, deliveries at most, attempts at most, then hosts, each with how many it may get at most; any
-- other may get one.
-- Answer: for every delivery that is now the caller's: id, event, attempt, 'job' or 'batch', the record.
local lease_ms, most, max_attempts = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
-- More than one caller can be busy with.
local HOSTS = 200
local answer, room = {}, {}
for i = 5, #ARGV, 2 do room[ARGV[i]] = tonumber(ARGV[i + 1]) end

local function take(host, member)
  local id, event = string.match(member, '^(.*):(%l+)$')
  local kind, record = find_told(id or '')
  local delivery = kind and read_delivery(kind, id, event)
  if not delivery or not delivery.next_at then
    redis.call('ZREM', key('webhooks', host), member)
    if not kind then tally('webhooks:expired') end -- Its time was over before anybody could be told.
  elseif is_foreign(record) then
    redis.call('ZADD', key('webhooks', host), now + lease_ms, member)
  elseif delivery.attempts >= max_attempts then -- Nobody has come back from the last one.
    end_delivery(kind, record, event, delivery, 'given_up')
  else
    delivery.attempts, delivery.next_at = delivery.attempts + 1, now + lease_ms
    write_delivery(kind, record, event, delivery)
    table.insert(answer, {id, event, delivery.attempts, kind, redis.call('HGETALL', key(kind, id))})
  end
end

expect('zset', key('webhook_hosts'))
for _, host in ipairs(redis.call('ZRANGEBYSCORE', key('webhook_hosts'), '-inf', now, 'LIMIT', 0, HOSTS)) do
  local free = math.min(room[host] or 1, most - #answer)
  if free > 0 then
    local due = redis.pcall('ZRANGEBYSCORE', key('webhooks', host), '-inf', now, 'LIMIT', 0, free)
    for _, member in ipairs(due.err and {} or due) do take(host, member) end
    note_host(host)
  end
end
return answer
