-- The cooldown gate: which claims are in cooldown, and a short hold on those that are free.
--   KEYS[i]  cooldown:<installation>:<claim>
--            value: run id, or "hold:<token>" while a decision is being made
--   ARGV[1]  token of this decision
--   ARGV[2]  how long a hold lasts, in milliseconds
-- Returns, for each key, the value it had; "" where it was free and is held now.
local found = {}
for i, key in ipairs(KEYS) do
  local value = redis.call("GET", key)
  if value then
    found[i] = value
  else
    redis.call("SET", key, "hold:" .. ARGV[1], "PX", ARGV[2])
    found[i] = ""
  end
end
return found
