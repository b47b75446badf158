-- POST with a body of 10 KB.
wrk.method = "POST"
wrk.body = string.rep("x", 10 * 1024)
