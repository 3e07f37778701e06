package main

import (
	"os"
	"runtime/debug"
)

// limitMemory makes the garbage collector run when the heap has grown by 30 percent instead of 100,
// which costs little because the heap is small. A value of GOGC in the environment comes first.
func limitMemory() {
	const percent = 30
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
