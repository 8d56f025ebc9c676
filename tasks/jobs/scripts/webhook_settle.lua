-- needs: deliveries
-- ARGV: namespace, job or batch, event, attempt, outcome ('delivered', 'refused', 'given_up', or 'failed' where it is tried
-- again), status of the answer or '', code of what went wrong or '', ms until the next attempt.
-- Answer: 1, or 0 when another attempt has begun since, or it is over.
local id, event, attempt, outcome, status, code = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]
local kind, record = find_told(id)
local delivery = kind and read_delivery(kind, id, event)
if not delivery or not delivery.next_at or delivery.attempts ~= attempt then return 0 end
delivery.status, delivery.code = tonumber(status), code ~= '' and code or nil
if outcome == 'failed' then
  delivery.next_at = now + tonumber(ARGV[8])
  tally('webhooks:failed')
  write_delivery(kind, record, event, delivery)
else
  delivery.delivered_at = outcome == 'delivered' and now or nil
  end_delivery(kind, record, event, delivery, outcome)
end
return 1
