package local_test

import (
	"strings"

	"golang.org/x/sys/windows"

	"github.com/omnibucket/storage/storagetest"
)

// excluded returns options that skip the cases of onWine if the tests run on Wine.
func excluded() []storagetest.Option {
	isWine := windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
	if !isWine {
		return nil
	}
	var skips []storagetest.Option
	for _, c := range storagetest.Cases() {
		for _, group := range onWine {
			if strings.Contains(c.Name, group.cases) {
				skips = append(skips, storagetest.Skip(c.Name, "Wine: "+group.reason))
			}
		}
	}
	return skips
}

// excludedOfService returns the skipped cases for services.
func excludedOfService() []storagetest.Option {
	const reason = "Windows: an open bucket cannot be removed"
	return []storagetest.Option{storagetest.Skip("a bucket that is not empty is not deleted", reason)}
}

// onWine has the cases that pass on Windows but not on Wine, by a part of their names.
var onWine = []struct{ cases, reason string }{
	{cases: "254 segments", reason: "walking so many directories takes minutes"},
	{cases: "in many segments", reason: "walking so many directories takes minutes"},
	{cases: "a file system with the longest key", reason: "walking so many directories takes minutes"},
	{cases: "a copy onto itself", reason: "an open file cannot be replaced"},
	{cases: "readers see whole objects while a writer overwrites", reason: "an open file cannot be replaced"},
}
