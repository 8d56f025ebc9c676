-- needs: enter
-- Batches: whatever ends an item takes the next one in.
--
-- `batch`: totals and options. `batch_items`: for every index the item as it was submitted, and once it has ended what
-- came of it. `batch_live`: for the index of every item that is a job now the id of that job. Items from `next` on have
-- not become jobs yet. `unfinished`: for every batch the number of items that have not ended. `owned_batches`: those of
-- an owner, as long as their records are there.

local MAX_LIVE_ITEMS = 64
local ENDS = {'succeeded', 'failed', 'canceled', 'expired'}
local BATCH_FIELDS = {
  'id', 'status', 'owner', 'total', 'next', 'ttl_seconds', 'deadline_at', 'cancel_requested', 'idempotency', 'ring_list',
  'ring', 'schema', 'webhook_host', 'webhook_events', unpack(ENDS),
}
local RESULT_FIELDS = {
  'id', 'custom_id', 'status', 'text', 'parameters', 'num_prompt_tokens', 'num_tokens', 'rows', 'error_code',
  'error_detail',
}

local function find_batch(id)
  local values = redis.pcall('HMGET', key('batch', id), unpack(BATCH_FIELDS))
  if values.err or not values[1] or redis.call('TYPE', key('batch_items', id)).ok ~= 'hash' then return nil end
  local batch = {}
  for i, name in ipairs(BATCH_FIELDS) do batch[name] = values[i] or '' end
  for _, name in ipairs({'total', 'next', unpack(ENDS)}) do batch[name] = tonumber(batch[name]) end
  return batch
end

local function num_ended(batch)
  local number = 0
  for _, name in ipairs(ENDS) do number = number + batch[name] end
  return number
end

-- No item depends on `unfinished`: the reaper counts again.
local function count_ends(batch, status, number)
  batch[status] = redis.call('HINCRBY', key('batch', batch.id), status, number)
  redis.pcall('HINCRBY', key('unfinished'), batch.id, -number)
end

-- Those that have not become jobs end without becoming any.
local function stop_waiting(batch, status)
  if batch.next == batch.total then return end
  count_ends(batch, status, batch.total - batch.next)
  redis.call('HSET', key('batch', batch.id), 'next', batch.total, 'stopped_from', batch.next, 'stopped_as', status)
  batch.next = batch.total
end

local function end_item(batch, index, result)
  redis.call('HDEL', key('batch_live', batch.id), index)
  -- A worker of an earlier version has taken it without this.
  redis.call('ZREM', key('queued_items'), result.id)
  redis.call('HSET', key('batch_items', batch.id), index, cjson.encode(result))
  count_ends(batch, result.status, 1)
end

-- Somebody deleted the record of its job by hand.
local function lose_item(batch, index)
  local item = redis.call('HGET', key('batch_items', batch.id), index)
  if not item then return end
  local result = cjson.decode(item)
  result.status, result.error_code, result.error_detail = 'failed', 'internal_error', 'The record of the job is missing.'
  end_item(batch, index, result)
end

-- Raises over a key or an item that somebody has overwritten, and then has written nothing.
local function make_job(batch, index)
  local job = cjson.decode(redis.call('HGET', key('batch_items', batch.id), index) or '')
  check_entry(job)
  if batch.ring_list ~= '' then expect('list', batch.ring_list) end
  job.batch, job.batch_index, job.deadline_at = batch.id, index, batch.deadline_at
  enter(job)
  redis.call('HSET', key('batch_live', batch.id), index, job.id)
  if batch.ring_list == '' then return end
  local ring = string.gsub(batch.ring, '<task id>', job.id)
  redis.call('LPUSH', batch.ring_list, (string.gsub(ring, '<delivery tag>', job.id)))
end

local function end_batch(batch)
  local status = 'completed'
  if batch.cancel_requested == '1' and batch.canceled > 0 then
    status = 'canceled'
  elseif past_deadline(batch) and batch.expired > 0 then
    status = 'expired'
  end
  local expires = now + tonumber(batch.ttl_seconds) * 1000
  redis.call('HSET', key('batch', batch.id), 'status', status, 'completed_at', now, 'expires_at', expires)
  for _, name in ipairs({'batch', 'batch_items'}) do redis.call('PEXPIREAT', key(name, batch.id), expires) end
  if batch.idempotency ~= '' then redis.call('PEXPIREAT', key('batch_idempotency', batch.idempotency), expires) end
  redis.call('SET', key('tombstone', batch.id), batch.owner, 'PXAT', expires + KEEP_TOMBSTONE_MS)
  redis.pcall('HDEL', key('unfinished'), batch.id)
  redis.call('ZREM', key('batches'), batch.id)
  redis.call('ZADD', key('index'), expires, batch.id)
  announce('batch', batch, 'completed')
  redis.call('PUBLISH', key('ended'), batch.id .. ' ')
end

-- As many jobs as there may be, and the end when no item is left. An item that cannot become a job now must not keep the
-- job from its end that makes room for it; the reaper tries again.
local function go_on(batch)
  if past_deadline(batch) then stop_waiting(batch, 'expired') end
  local free = MAX_LIVE_ITEMS - redis.call('HLEN', key('batch_live', batch.id))
  while free > 0 and batch.next < batch.total and pcall(make_job, batch, batch.next) do
    batch.next = redis.call('HINCRBY', key('batch', batch.id), 'next', 1)
    free = free - 1
  end
  if num_ended(batch) == batch.total then end_batch(batch) end
end

local function item_ended(job, status)
  local batch = find_batch(job.batch)
  if not batch or redis.call('HGET', key('batch_live', batch.id), job.batch_index) ~= job.id then return end
  local result = {}
  for i, value in ipairs(redis.call('HMGET', key('job', job.id), unpack(RESULT_FIELDS))) do
    result[RESULT_FIELDS[i]] = value or nil
  end
  result.status = status
  end_item(batch, job.batch_index, result)
  go_on(batch)
end

-- Somebody has deleted which items are jobs: those that have neither ended nor been passed over.
local function find_live(batch)
  local missing = batch.next - num_ended(batch) - redis.call('HLEN', key('batch_live', batch.id))
  if missing <= 0 then return end
  local stopped_from = redis.call('HGET', key('batch', batch.id), 'stopped_from')
  for index = 0, tonumber(stopped_from or batch.next) - 1 do
    local decoded, item = pcall(cjson.decode, redis.call('HGET', key('batch_items', batch.id), index) or '')
    if decoded and not item.status then redis.call('HSET', key('batch_live', batch.id), index, item.id) end
  end
end

-- What a worker of an earlier version has ended, or somebody deleted, has brought no next item in.
local function repair(batch)
  find_live(batch)
  local live = redis.call('HGETALL', key('batch_live', batch.id))
  for i = 1, #live, 2 do
    local job = find_job(live[i + 1])
    if not job then
      lose_item(find_batch(batch.id), live[i])
    elseif has_ended(job) then
      item_ended(job, job.status)
    end
  end
  local left = find_batch(batch.id)
  if left.status ~= 'running' then return end
  redis.pcall('HSET', key('unfinished'), batch.id, left.total - num_ended(left))
  go_on(left)
end

-- What clients see of a batch: its record, and how many of its items run.
local function shown(id)
  local running = 0
  for _, job in ipairs(redis.call('HVALS', key('batch_live', id))) do
    if redis.pcall('HGET', key('job', job), 'status') == 'running' then running = running + 1 end
  end
  return redis.call('HGETALL', key('batch', id)), running
end
