-- Take or keep a target's lock; the same owner may retake it.
--   KEYS[1]  lock:<resource>    value: owner (<installation>/<run id>, or a person's name)
--   ARGV[1]  owner
--   ARGV[2]  how long it lasts without being renewed, in milliseconds
-- Returns the owner now.
local owner = redis.call("GET", KEYS[1])
if owner and owner ~= ARGV[1] then
  return owner
end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return ARGV[1]
