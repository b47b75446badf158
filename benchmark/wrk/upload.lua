-- POST with a body of 4 MB.
wrk.method = "POST"
wrk.body = string.rep("x", 4 * 1024 * 1024)
