package s3command

import "runtime/debug"

// collectGarbage sets the percentage of Go's garbage collector until restore is called, unless the environment variable
// GOGC is set. Over a store, the heap has only a few MiB, so that a larger percentage costs little memory; with the
// default of 100, garbage collection takes a sixth of the CPU time of a listing. With objects in memory, the heap is
// large, and the default stays.
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
