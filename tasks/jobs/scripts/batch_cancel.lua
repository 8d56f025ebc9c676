-- needs: ends
-- ARGV: namespace, batch, owner. Answer: 'canceled', 'requested', 'finished', 'gone', 'unknown' or 'foreign', and of the
-- last the version of the record.
local id, owner = ARGV[2], ARGV[3]
check_indexes()
local batch = find_batch(id)
if not batch then return {redis.call('GET', key('tombstone', id)) == owner and 'gone' or 'unknown'} end
if batch.owner ~= owner then return {'unknown'} end
if is_foreign(batch) then return {'foreign', batch.schema} end
if batch.status == 'running' then
  repair(batch) -- Or jobs would go on that are its items and are not known to be.
  batch = find_batch(id)
end
if batch.status == 'canceled' then return {'canceled'} end
if batch.status ~= 'running' then return {'finished'} end

redis.call('HSET', key('batch', id), 'cancel_requested', 1)
stop_waiting(batch, 'canceled')
for _, job_id in ipairs(redis.call('HVALS', key('batch_live', id))) do
  local job = find_job(job_id)
  if job then cancel(job) end
end
batch = find_batch(id)
if batch.status == 'running' then go_on(batch) end -- The end, where none of its items has become a job.
return {redis.call('HGET', key('batch', id), 'status') == 'running' and 'requested' or 'canceled'}
