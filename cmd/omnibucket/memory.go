package main

import (
	"os"
	"runtime/debug"
)

// limitMemory makes the garbage collector run after the heap has grown by 30 percent instead of
// 100. The heap is small, so this costs little time. If GOGC is set in the environment, it applies
// instead.
func limitMemory() {
	const percent = 30
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
