-- reads only
-- needs: queue
-- ARGV: namespace, job, owner. Answer: 'found', or 'overdue' where `expire` would end it, the record and its place; 'gone'
-- or 'unknown'.
local id, owner = ARGV[2], ARGV[3]
local job = find_job(id)
if job and job.owner == owner then
  return {is_overdue(job) and 'overdue' or 'found', redis.call('HGETALL', key('job', id)), place(job)}
end
if redis.call('GET', key('tombstone', id)) == owner and not job then return {'gone'} end
return {'unknown'}
