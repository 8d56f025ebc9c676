-- What is counted of the end of a job. A field of `counters` is a series:
-- its name, its labels, and of a histogram an upper bound in ms or `sum` in microseconds. Of bounds a bucket has only
-- what is its own. tasks/jobs/counters.py reads them.

local function observe(name, bounds, ms)
  local bucket = 'inf'
  for _, bound in ipairs(bounds) do
    if ms <= bound then
      bucket = bound
      break
    end
  end
  tally(name .. ':' .. bucket)
  tally(name .. ':sum', ms * 1000)
end

local function phase_of(job)
  if job.started_at ~= '' then return 'running' end
  return job.worker ~= '' and 'claimed' or 'queued'
end

-- Of each row, if they were equally long.
local function observe_tokens(job, num_tokens)
  observe('first_token', LATENCY_MS, job.first_token_at - job.created_at)
  local gaps = num_tokens / job.num_rows - 1
  if gaps > 0 then observe('token', TOKEN_MS, (now - job.first_token_at) / gaps) end
end

local function tally_end(job, status, code)
  local num_tokens = tonumber(job.num_tokens) or 0
  tally('ended_' .. status)
  tally('ended:' .. status .. ':' .. code .. ':' .. job.priority)
  tally('generated_tokens', num_tokens)
  if status == 'canceled' then
    tally('canceled:' .. phase_of(job))
  else
    observe('latency:' .. mode_of(job), LATENCY_MS, now - job.created_at)
  end
  if job.started_at ~= '' then observe('queue_wait:' .. job.priority, LATENCY_MS, job.started_at - job.created_at) end
  if job.first_token_at ~= '' then observe_tokens(job, num_tokens) end
end
