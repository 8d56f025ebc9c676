-- ARGV: namespace. Answer: held, running, age of the oldest waiting job in ms, live workers, stale finishes, then for
-- every fingerprint and priority with waiting jobs: fingerprint, priority, number.
local function number_running()
  local running = 0
  for _, id in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
    if redis.call('HGET', key('job', id), 'status') == 'running' then running = running + 1 end
  end
  return running
end

local oldest = redis.call('ZRANGE', key('queued'), 0, 0, 'WITHSCORES')[2]
local answer = {
  redis.call('ZCARD', key('leases')),
  number_running(),
  oldest and now - tonumber(oldest) or 0,
  redis.call('ZCOUNT', key('workers'), now, '+inf'),
  number_in(key('counters'), 'stale_finishes'),
}
for _, fingerprint in ipairs(redis.call('ZRANGE', key('seen'), 0, -1)) do
  for _, priority in ipairs(PRIORITIES) do
    local waiting = redis.call('ZCARD', key('queue', fingerprint, priority))
    if waiting > 0 then
      for _, value in ipairs({fingerprint, priority, waiting}) do table.insert(answer, value) end
    end
  end
end
return answer
