-- Take or keep a target's lock for a run; the same run may retake it. After people.lua.
--   KEYS[1]  lock:<resource>          value: owner (<installation>/<run id>, or a person's name)
--   KEYS[2]  person-lock:<resource>
--   ARGV[1]  owner
--   ARGV[2]  how long it lasts without being renewed, in milliseconds
--   ARGV[3]  this installation: what its own people have locked, SQL knows
-- Returns {owner now}, or {installation, lock} where a person of another installation has it.
local owner = redis.call("GET", KEYS[1])
if owner ~= ARGV[1] then
  local elsewhere = locked_elsewhere(KEYS[2], ARGV[3])
  if elsewhere then
    return elsewhere
  end
  if owner then
    return {owner}
  end
end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return {ARGV[1]}
