-- reads only
-- needs: flow
-- ARGV: namespace. Answer: held jobs, those of them that run, the age of the oldest waiting job in ms; the jobs that have
-- ended, as names and numbers; for every live worker its id, fingerprint, slots, jobs that it holds, and of these those
-- that run; for every fingerprint with a live worker or a waiting job: itself, its card as JSON, its backlog; batches that
-- have not ended, items of them that have not, and items that wait in queues.
local held, running, num_held, num_running = {}, {}, 0, 0
for _, id in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
  local job = find_job(id)
  if job then
    num_held, held[job.worker] = num_held + 1, (held[job.worker] or 0) + 1
    if job.status == 'running' then
      num_running, running[job.worker] = num_running + 1, (running[job.worker] or 0) + 1
    end
  end
end

local workers, live = {}, {}
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', key('workers'), now, '+inf')) do
  local fingerprint, slots = unpack(redis.call('HMGET', key('worker', worker), 'fingerprint', 'slots'))
  if fingerprint then
    live[fingerprint] = true
    table.insert(workers, {worker, fingerprint, slots, held[worker] or 0, running[worker] or 0})
  end
end

local ended = {}
for _, status in ipairs({'succeeded', 'failed', 'canceled', 'expired'}) do
  table.insert(ended, status)
  table.insert(ended, number_in(key('counters'), 'ended_' .. status))
end

local models = {}
for _, fingerprint in ipairs(redis.call('ZRANGE', key('seen'), 0, -1)) do
  if live[fingerprint] or any_waits(fingerprint) then
    table.insert(models, {fingerprint, redis.call('HGET', key('cards'), fingerprint), backlog(fingerprint)})
  end
end

local oldest = redis.call('ZRANGE', key('queued'), 0, 0, 'WITHSCORES')[2]
local unfinished, num_unfinished = redis.call('HVALS', key('unfinished')), 0
for _, number in ipairs(unfinished) do num_unfinished = num_unfinished + whole(number, key('unfinished')) end
return {num_held, num_running, oldest and now - tonumber(oldest) or 0, ended, workers, models,
  {#unfinished, num_unfinished, redis.call('ZCARD', key('queued_items'))}}
