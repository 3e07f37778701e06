//go:build unix

package local

import (
	"testing"
)

// windowsCannot and wineCannot skip tests on Windows.
func windowsCannot(testing.TB, string) {}

func wineCannot(testing.TB, string) {}

const (
	noLinks      = ""
	lockedStays  = ""
	openDirStays = ""
	openStays    = ""
)
