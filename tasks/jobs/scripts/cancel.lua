-- ARGV: namespace, job, owner. Answer: 'canceled', 'requested', 'finished', 'gone', 'unknown' or 'foreign', and of the
-- last the version of the record.
local id, owner = ARGV[2], ARGV[3]
check_indexes()
local job = find_job(id)
if not job then return {redis.call('GET', key('tombstone', id)) == owner and 'gone' or 'unknown'} end
if job.owner ~= owner then return {'unknown'} end
if is_foreign(job) then return {'foreign', job.schema} end
if job.status == 'canceled' then return {'canceled'} end
if job.status ~= 'queued' and job.status ~= 'running' then return {'finished'} end
if job.worker == '' then
  end_unheld(job, 'canceled', '', '')
  return {'canceled'}
end
redis.call('HSET', key('job', id), 'cancel_requested', 1)
return {'requested'}
