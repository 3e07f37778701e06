package main

import (
	"os"
	"runtime/debug"
)

// limitMemory collects garbage when the heap has grown by three tenths, instead of when it has doubled.
// The heap is small, so that this costs little time. GOGC in the environment comes first.
func limitMemory() {
	const percent = 30
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
