package s3command

import "runtime/debug"

// collectGarbage sets GOGC until the function restore is called, unless the environment variable
// GOGC is set. If the server keeps its objects in a store, the heap has only the requests in
// progress, a few MiB. Go would then collect garbage after every 4 MiB, which takes a sixth of the
// CPU time of a listing. A larger percentage costs little memory. If the objects are in memory,
// collectGarbage changes nothing, because the objects are in the heap.
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
