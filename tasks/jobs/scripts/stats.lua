-- reads only
-- ARGV: namespace. Answer: age of the oldest waiting job in ms, live workers, stale finishes, leases that have run out,
-- batches that have not ended, their items that are not jobs yet, webhook deliveries that are not over, by how many ms the
-- first of them is late; for every priority the held jobs and those of them that run; the models with a worker lately; for
-- every fingerprint and priority with waiting jobs: itself, their number.
local LATELY_MS = 600000

local held, running = {}, {}
for i in ipairs(PRIORITIES) do held[i], running[i] = 0, 0 end
local function count_held(id)
  local status, priority = unpack(redis.call('HMGET', key('job', id), 'status', 'priority'))
  for i, each in ipairs(PRIORITIES) do
    if each == priority then
      held[i] = held[i] + 1
      if status == 'running' then running[i] = running[i] + 1 end
    end
  end
end
for _, id in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do count_held(id) end

local items_waiting = 0
local unfinished = redis.call('HGETALL', key('unfinished'))
for i = 1, #unfinished, 2 do
  items_waiting = items_waiting + unfinished[i + 1] - redis.call('HLEN', key('batch_live', unfinished[i]))
end

local deliveries = 0
for _, host in ipairs(redis.call('ZRANGE', key('webhook_hosts'), 0, -1)) do
  deliveries = deliveries + redis.call('ZCARD', key('webhooks', host))
end
local first_due = redis.call('ZRANGE', key('webhook_hosts'), 0, 0, 'WITHSCORES')[2]

local queues = {}
for _, fingerprint in ipairs(redis.call('ZRANGE', key('seen'), 0, -1)) do
  for _, priority in ipairs(PRIORITIES) do
    local waiting = redis.call('ZCARD', key('queue', fingerprint, priority))
    if waiting > 0 then table.insert(queues, {fingerprint, priority, waiting}) end
  end
end

local oldest = redis.call('ZRANGE', key('queued'), 0, 0, 'WITHSCORES')[2]
return {
  oldest and now - tonumber(oldest) or 0,
  redis.call('ZCOUNT', key('workers'), now, '+inf'),
  number_in(key('counters'), 'stale_finishes'),
  redis.call('ZCOUNT', key('leases'), '-inf', now),
  math.floor(#unfinished / 2),
  items_waiting,
  deliveries,
  first_due and math.max(0, now - tonumber(first_due)) or 0,
  held,
  running,
  redis.call('ZRANGEBYSCORE', key('seen'), now - LATELY_MS, '+inf'),
  queues,
}
