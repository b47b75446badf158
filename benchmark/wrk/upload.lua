-- POST with a body of as many MB as the argument says.
init = function (args)
  wrk.method = "POST"
  wrk.body = string.rep("x", tonumber(args[1]) * 1024 * 1024)
end
