-- At the end of a run: the cooldown of its claim, unless a later run or a decision has it.
--   KEYS[1]  cooldown:<installation>:<claim>
--            value: run id, or "hold:<token>" while a decision is being made
--   ARGV[1]  run id
--   ARGV[2]  the cooldown in milliseconds; 0 when it is free
local value = redis.call("GET", KEYS[1])
if value and value ~= ARGV[1] then
  return 0
end
if tonumber(ARGV[2]) > 0 then
  redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
else
  redis.call("DEL", KEYS[1])
end
return 1
