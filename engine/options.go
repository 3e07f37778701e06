package engine

import (
	"sync"

	"github.com/omnibucket/storage"
)

// An optionPool has the memory for options. Reading options makes them escape to the heap, and a call
// keeps only a part of them.
type optionPool[T any] struct{ free sync.Pool }

var (
	uploadOptions optionPool[storage.UploadOptions]
	readOptions   optionPool[storage.DownloadOptions]
	copyOptions   optionPool[storage.CopyOptions]
	removeOptions optionPool[storage.RemoveOptions]
	signOptions   optionPool[storage.SignOptions]
)

// get returns options of which none is given.
func (p *optionPool[T]) get() *T {
	if given, ok := p.free.Get().(*T); ok {
		return given
	}
	return new(T)
}

// put takes options back, which nobody uses any more.
func (p *optionPool[T]) put(given *T) {
	var none T
	*given = none
	p.free.Put(given)
}
