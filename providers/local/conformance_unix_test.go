//go:build unix

package local_test

import "github.com/omnibucket/storage/storagetest"

// excluded are the cases that are left out on Windows.
func excluded() []storagetest.Option { return nil }

func excludedOfService() []storagetest.Option { return nil }
