package local_test

import (
	"strings"

	"golang.org/x/sys/windows"

	"github.com/omnibucket/storage/storagetest"
)

// excluded returns the cases that are skipped, with the reasons.
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

// excludedOfService returns the skipped cases for services.
func excludedOfService() []storagetest.Option {
	return []storagetest.Option{storagetest.Skip("a bucket that is not empty is not deleted", "Windows: an open bucket cannot be removed")}
}

// onWine has the cases that pass on Windows but not on Wine, by a part of their names.
var onWine = []struct{ cases, reason string }{
	{cases: "254 segments", reason: "walking so many directories takes minutes"},
	{cases: "in many segments", reason: "walking so many directories takes minutes"},
	{cases: "a file system with the longest key", reason: "walking so many directories takes minutes"},
	{cases: "a copy onto itself", reason: "an open file cannot be replaced"},
	{cases: "readers see whole objects while a writer overwrites", reason: "an open file cannot be replaced"},
}
