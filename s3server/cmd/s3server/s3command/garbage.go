package s3command

import "runtime/debug"

// collectGarbage sets the percentage of Go's garbage collector (see [debug.SetGCPercent]) until restore is called. It
// changes nothing if the environment variable GOGC is set.
//
// overStore is true if a store has the objects. The heap then has only a few MiB, so a larger percentage costs little
// memory. With the default of 100, garbage collection would take a sixth of the CPU time of a listing. With objects in
// memory, the heap is large, and the default stays.
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
