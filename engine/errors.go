package engine

import (
	"fmt"

	"github.com/omnibucket/storage"
)

func mismatch(want, got storage.CRC32C) *storage.Error {
	return &storage.Error{Code: storage.ChecksumMismatch, Err: fmt.Errorf("CRC32C is %s and should be %s", got, want)}
}
