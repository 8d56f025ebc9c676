-- Whom to tell what becomes of a job or a batch: deliveries, written by the very script that makes the transition.
--
-- `webhooks:<host>`: deliveries to that host, `<id>:<event>`, by when the next attempt is due. `webhook_hosts`: the hosts,
-- by when the first of theirs is due. `webhooks_owed`: `<id> <host>` of every record of which not all is told yet, by when
-- the reaper has looked at it. What has come of a delivery is in its record, as JSON: `webhook_<event>`; while it has a
-- `next_at`, it is not over. No job depends on these keys: what somebody has overwritten the reaper makes anew.

local function owe(record)
  if (record.webhook_host or '') == '' then return end
  redis.pcall('ZADD', key('webhooks_owed'), now, record.id .. ' ' .. record.webhook_host)
end

local function note_host(host)
  local first = redis.pcall('ZRANGE', key('webhooks', host), 0, 0, 'WITHSCORES')
  if first[2] then
    redis.pcall('ZADD', key('webhook_hosts'), first[2], host)
  else
    redis.pcall('ZREM', key('webhook_hosts'), host)
  end
end

local function drop_delivery(host, id, event)
  redis.pcall('ZREM', key('webhooks', host), id .. ':' .. event)
  note_host(host)
end

local function write_delivery(kind, record, event, delivery)
  redis.call('HSET', key(kind, record.id), 'webhook_' .. event, cjson.encode(delivery))
  if not delivery.next_at then return drop_delivery(record.webhook_host, record.id, event) end
  redis.pcall('ZADD', key('webhooks', record.webhook_host), delivery.next_at, record.id .. ':' .. event)
  note_host(record.webhook_host)
end

-- Once: a job that starts again has been told of.
local function announce(kind, record, event)
  if record.webhook_host == '' then return end
  if not string.find(' ' .. record.webhook_events .. ' ', ' ' .. event .. ' ', 1, true) then return end
  if redis.call('HEXISTS', key(kind, record.id), 'webhook_' .. event) == 1 then return end
  write_delivery(kind, record, event, {attempts = 0, next_at = now})
end
