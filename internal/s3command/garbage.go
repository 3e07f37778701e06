package s3command

import "runtime/debug"

// collectGarbage sets GOGC, unless the environment has one, until the returned function is called. Over a store,
// the heap is that of the requests in progress, a few MiB, and a garbage collection for each 4 MiB is a sixth of
// the CPU of a listing. A larger percentage only takes memory. In memory, the heap has the objects.
func collectGarbage(env Environment, overStore bool) (restore func()) {
	if _, set := env.Lookup("GOGC"); set {
		return func() {}
	}
	percent := 100
	if overStore {
		percent = 200
	}
	before := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(before) }
}
