-- needs: ends
-- ARGV: namespace, job, owner. Answer: 'canceled', 'requested', 'finished', 'gone', 'unknown' or 'foreign', and of the
-- last the version of the record.
local id, owner = ARGV[2], ARGV[3]
check_indexes()
local job = find_job(id)
if not job then return {redis.call('GET', key('tombstone', id)) == owner and 'gone' or 'unknown'} end
if job.owner ~= owner then return {'unknown'} end
if is_foreign(job) then return {'foreign', job.schema} end
if job.status == 'canceled' then return {'canceled'} end
if has_ended(job) then return {'finished'} end
return {cancel(job)}
