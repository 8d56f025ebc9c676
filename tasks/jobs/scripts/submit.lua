-- refused when memory is full
-- needs: enter
-- ARGV: namespace, limit of waiting jobs, limit of the owner's jobs that have not ended (0: none), digest of the request,
-- list and message that wake a worker (or two empty strings), then the record's fields and values.
-- Answer: what happened; then of a new job its times in ms and its place, of an older one its record and its place, of
-- a full queue the number that are waiting and the backlog, of an owner with too many jobs their number; of a key that
-- belongs to another request its job.
local FIELDS = 7
local limit, owner_limit, digest, ring_list, ring = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local job = {}
for i = FIELDS, #ARGV, 2 do job[ARGV[i]] = ARGV[i + 1] end
local record = key('job', job.id)

check_indexes()
check_entry(job)
if ring_list ~= '' then expect('list', ring_list) end

if redis.call('EXISTS', record) == 1 then
  return {'repeated', redis.call('HGETALL', record), place(find_job(job.id))}
end

local promise = key('idempotency', job.idempotency)
local earlier = job.idempotency ~= '' and redis.call('HMGET', promise, 'job', 'digest')
if earlier and earlier[1] and redis.call('EXISTS', key('job', earlier[1])) == 1 then
  if earlier[2] ~= digest then return {'reused', earlier[1]} end
  return {'known', redis.call('HGETALL', key('job', earlier[1])), place(find_job(earlier[1]))}
end

-- The items of batches have a limit of their own.
local waiting = math.max(0, redis.call('ZCARD', key('queued')) - redis.call('ZCARD', key('queued_items')))
if waiting >= limit then return {'full', waiting, backlog(job.fingerprint)} end
local unfinished = owner_limit > 0 and count_unfinished(job.owner, owner_limit) or 0
if owner_limit > 0 and unfinished >= owner_limit then return {'crowded', unfinished} end

job.deadline_at = job.deadline_ms ~= '' and now + tonumber(job.deadline_ms) or ''
enter(job)
if job.idempotency ~= '' then redis.call('HSET', promise, 'job', job.id, 'digest', digest) end
if ring_list ~= '' then redis.call('LPUSH', ring_list, ring) end
return {'created', now, job.deadline_at, place(job)}
