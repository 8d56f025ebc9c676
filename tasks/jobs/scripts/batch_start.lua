-- ARGV: namespace, limit of unfinished items, digest of the request, then the batch's fields and values.
-- Answer: what happened, then the batch's id or the number of unfinished items.
local FIELDS = 4
local limit, digest = tonumber(ARGV[2]), ARGV[3]
local batch = {}
for i = FIELDS, #ARGV, 2 do batch[ARGV[i]] = ARGV[i + 1] end
local record, items = key('batch', batch.id), key('batch_items', batch.id)

if redis.call('EXISTS', record) == 1 then return {'created', batch.id} end -- The reply was lost.

check_indexes()
expect('hash', key('unfinished'))
expect('string', key('sequence'))
if batch.ring_list ~= '' then expect('list', batch.ring_list) end

local function refuse(...)
  redis.call('UNLINK', items)
  return {...}
end

local promise = key('batch_idempotency', batch.idempotency)
local earlier = batch.idempotency ~= '' and redis.call('HMGET', promise, 'batch', 'digest')
if earlier and earlier[1] and redis.call('EXISTS', key('batch', earlier[1])) == 1 then
  if earlier[2] ~= digest then return refuse('reused') end
  return refuse('known', earlier[1])
end

local unfinished = 0
for _, number in ipairs(redis.call('HVALS', key('unfinished'))) do unfinished = unfinished + number end
if unfinished + batch.total > limit then return refuse('full', unfinished) end
if redis.call('HLEN', items) ~= tonumber(batch.total) then return refuse('torn') end

redis.call('PERSIST', items)
redis.call('HSET', record, unpack(ARGV, FIELDS))
redis.call('HSET', record, 'status', 'running', 'next', 0, 'created_at', now,
  'deadline_at', now + tonumber(batch.deadline_ms), 'succeeded', 0, 'failed', 0, 'canceled', 0, 'expired', 0)
redis.call('HSET', key('unfinished'), batch.id, batch.total)
redis.call('ZADD', key('batches'), now, batch.id)
if batch.idempotency ~= '' then redis.call('HSET', promise, 'batch', batch.id, 'digest', digest) end
go_on(find_batch(batch.id))
return {'created', batch.id}
