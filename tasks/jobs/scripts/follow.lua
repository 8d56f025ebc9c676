-- ARGV: namespace, job. Somebody reads its events: its worker tells them sooner.
local job = find_job(ARGV[2])
if job and (job.status == 'queued' or job.status == 'running') then
  redis.call('HSET', key('job', job.id), 'followed', 1)
end
