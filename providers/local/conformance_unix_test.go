//go:build unix

package local_test

import "github.com/omnibucket/storage/storagetest"

// excluded returns the cases that are skipped on Windows.
func excluded() []storagetest.Option { return nil }

func excludedOfService() []storagetest.Option { return nil }
