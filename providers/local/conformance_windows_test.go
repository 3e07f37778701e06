package local_test

import (
	"strings"

	"golang.org/x/sys/windows"

	"github.com/omnibucket/storage/storagetest"
)

// excluded are the cases that are left out, and why.
func excluded() []storagetest.Option {
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() != nil {
		return nil
	}
	var all []storagetest.Option
	for _, c := range storagetest.Cases() {
		for _, row := range onWine {
			if strings.Contains(c.Name, row.cases) {
				all = append(all, storagetest.Skip(c.Name, "Wine: "+row.reason))
			}
		}
	}
	return all
}

// excludedOfService are the cases about buckets that are left out.
func excludedOfService() []storagetest.Option {
	return []storagetest.Option{storagetest.Skip("a bucket that is not empty is not deleted", "Windows: a bucket that somebody has open cannot be removed")}
}

// onWine are the cases, by a part of their names, of what Windows does and Wine
// does not.
var onWine = []struct{ cases, reason string }{
	{"254 segments", "it takes minutes to walk so many directories"},
	{"in many segments", "it takes minutes to walk so many directories"},
	{"a file system with the longest key", "it takes minutes to walk so many directories"},
	{"a copy onto itself changes attributes", "a file that somebody has open cannot be replaced"},
	{"readers see whole objects while a writer overwrites", "a file that somebody has open cannot be replaced"},
}
