package local

import (
	"testing"

	"golang.org/x/sys/windows"
)

// windowsCannot skips a test or a row, with the reason.
func windowsCannot(t testing.TB, reason string) {
	t.Helper()
	t.Skip("Windows: " + reason)
}

// wineCannot skips a test that passes on Windows but not on Wine.
func wineCannot(t testing.TB, reason string) {
	t.Helper()
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil {
		t.Skip("Wine: " + reason)
	}
}

const (
	noLinks      = "symbolic links cannot be made"
	lockedStays  = "a locked file keeps its name until it is closed"
	openDirStays = "an open directory keeps its name until it is closed"
	openStays    = "an open file cannot be replaced"
)
