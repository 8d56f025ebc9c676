-- needs: webhooks
-- How deliveries are found again, and how they end.

local WEBHOOK_EVENTS = {'started', 'completed'}
local TOLD_FIELDS = {'id', 'schema', 'status', 'webhook_host', 'webhook_events'}

-- 'job' or 'batch', and its record; nothing where there is none any more.
local function find_told(id)
  for _, kind in ipairs({'job', 'batch'}) do
    local values = redis.pcall('HMGET', key(kind, id), unpack(TOLD_FIELDS))
    if not values.err and values[1] then
      local record = {}
      for i, name in ipairs(TOLD_FIELDS) do record[name] = values[i] or '' end
      return kind, record
    end
  end
end

local function read_delivery(kind, id, event)
  local read, delivery = pcall(cjson.decode, redis.call('HGET', key(kind, id), 'webhook_' .. event) or '')
  return read and type(delivery) == 'table' and tonumber(delivery.attempts) and delivery or nil
end

-- Whether it has ended and nothing of it is to be told any more.
local function is_all_told(kind, record)
  if not has_ended(record) then return false end
  for _, event in ipairs(WEBHOOK_EVENTS) do
    local delivery = read_delivery(kind, record.id, event)
    if delivery and delivery.next_at then return false end
  end
  return true
end

local function end_delivery(kind, record, event, delivery, outcome)
  delivery.next_at = nil
  tally('webhooks:' .. outcome)
  write_delivery(kind, record, event, delivery)
  if is_all_told(kind, record) then
    redis.pcall('ZREM', key('webhooks_owed'), record.id .. ' ' .. record.webhook_host)
  end
end
