-- needs: ends
-- ARGV: namespace, worker, job, attempt. Answer: 1 when the job waits again (or ended, when its cancel was
-- requested), 0 when the attempt was not the worker's any more.
local worker, id, attempt = ARGV[2], ARGV[3], ARGV[4]
check_indexes()
local job = find_job(id)
if not held_by(job, worker, attempt) then
  -- Released before, and the reply was lost.
  return job and job.attempt == attempt and job.worker == '' and 1 or 0
end
if job.cancel_requested == '1' then
  end_unheld(job, 'canceled', '', '')
else
  requeue(job, job.losses)
  tally('redeliveries:handed_back')
end
return 1
