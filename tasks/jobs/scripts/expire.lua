-- needs: ends
-- ARGV: namespace, job. Ends it if it waits and its deadline has passed; the reaper would do so within seconds.
check_indexes()
local job = find_job(ARGV[2])
if job and is_overdue(job) then expire(job) end
