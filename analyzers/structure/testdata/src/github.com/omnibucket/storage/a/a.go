package a

import (
	"io"
	"sync"
)

type store struct{ path string }

func (*store) open() {}

type Record struct{ Key string }

func (Record) String() string { return "" }

type UnimplementedDriver struct{ closed bool }

func (UnimplementedDriver) Close() error { return nil }

type data struct{ size int }

type driver interface{ Close() error }

type byPointer struct {
	*store // want `byPointer inherits from \*store: give the field a name`
}

type byValue struct {
	store // want `byValue inherits from store: give the field a name`
}

type named struct{ store *store }

type allowed struct {
	Record
	UnimplementedDriver
	data
	sync.Mutex
	*io.LimitedReader
}

type wrapper struct{ driver }
