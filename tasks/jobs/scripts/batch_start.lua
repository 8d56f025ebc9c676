-- refused when memory is full
-- needs: batch
-- ARGV: namespace, limit of unfinished items, digest of the request, then the batch's fields and values.
-- Answer: what happened, then the batch's id; where it goes beyond the limit the number of unfinished items, and the
-- backlog of every model for which some of low priority wait.
local FIELDS = 4
local limit, digest = tonumber(ARGV[2]), ARGV[3]
local batch = {}
for i = FIELDS, #ARGV, 2 do batch[ARGV[i]] = ARGV[i + 1] end
local record, items = key('batch', batch.id), key('batch_items', batch.id)

if redis.call('EXISTS', record) == 1 then return {'created', batch.id} end -- The reply was lost.

check_indexes()
expect('hash', key('unfinished'))
expect('string', key('sequence'))
whole(redis.call('GET', key('sequence')), key('sequence'))
expect('set', key('owners'))
expect('zset', key('owned_batches', batch.owner))
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
for _, number in ipairs(redis.call('HVALS', key('unfinished'))) do
  unfinished = unfinished + whole(number, key('unfinished'))
end
if unfinished + batch.total > limit then
  local backlogs = {}
  for _, fingerprint in ipairs(redis.call('ZRANGE', key('seen'), 0, -1)) do
    if queue_length(fingerprint, 'low') > 0 then table.insert(backlogs, backlog(fingerprint)) end
  end
  return refuse('full', unfinished, backlogs)
end
if redis.call('HLEN', items) ~= tonumber(batch.total) then return refuse('torn') end

redis.call('PERSIST', items)
redis.call('HSET', record, unpack(ARGV, FIELDS))
redis.call('HSET', record, 'status', 'running', 'next', 0, 'created_at', now,
  'deadline_at', now + tonumber(batch.deadline_ms), 'succeeded', 0, 'failed', 0, 'canceled', 0, 'expired', 0)
redis.call('HSET', key('unfinished'), batch.id, batch.total)
redis.call('ZADD', key('batches'), now, batch.id)
redis.call('ZADD', key('owned_batches', batch.owner), redis.call('INCR', key('sequence')), batch.id)
redis.call('SADD', key('owners'), batch.owner)
if batch.idempotency ~= '' then redis.call('HSET', promise, 'batch', batch.id, 'digest', digest) end
owe(batch)
go_on(find_batch(batch.id))
return {'created', batch.id}
