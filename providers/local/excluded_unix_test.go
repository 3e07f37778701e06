//go:build unix

package local

import "testing"

// windowsCannot and wineCannot leave out tests on Windows.
func windowsCannot(testing.TB, string) {}
func wineCannot(testing.TB, string)    {}

const (
	noLinks      = ""
	lockedStays  = ""
	openDirStays = ""
	openStays    = ""
)
