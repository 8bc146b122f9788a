-- Whether a person of another installation has locked a resource. After people.lua.
--   KEYS[1]  person-lock:<resource>
--   ARGV[1]  this installation
-- Returns {installation, lock}, or {} where nobody has.
return locked_elsewhere(KEYS[1], ARGV[1]) or {}
