package local

import (
	"testing"

	"golang.org/x/sys/windows"
)

// windowsCannot leaves a test or a row out, and says why.
func windowsCannot(t testing.TB, reason string) {
	t.Helper()
	t.Skip("Windows: " + reason)
}

// wineCannot is windowsCannot for what Windows does, and Wine does not.
func wineCannot(t testing.TB, reason string) {
	t.Helper()
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil {
		t.Skip("Wine: " + reason)
	}
}

const (
	noLinks      = "it makes no symbolic links"
	lockedStays  = "a file that somebody has locked keeps its name until it is closed"
	openDirStays = "a directory that somebody has open keeps its name until it is closed"
	openStays    = "a file that somebody has open cannot be replaced"
)
