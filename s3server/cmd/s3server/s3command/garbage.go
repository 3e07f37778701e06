package s3command

import "runtime/debug"

// collectGarbage sets the percentage of Go's garbage collector (GOGC) until the function restore is
// called. It changes nothing if the environment variable GOGC is set. If the server keeps its
// objects in a store, the heap has only a few MiB. With the default of 100 percent, garbage
// collection takes a sixth of the CPU time of a listing. A larger percentage costs little memory.
// If the server keeps its objects in memory, the heap is large, and the default stays.
func collectGarbage(env Environment, overStore bool) (restore func()) {
	if _, isSet := env.Lookup("GOGC"); isSet {
		return func() {}
	}
	percent := 100
	if overStore {
		percent = 200
	}
	old := debug.SetGCPercent(percent)
	return func() {
		debug.SetGCPercent(old)
	}
}
