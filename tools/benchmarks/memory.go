package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/thanos-io/objstore"
	"gocloud.dev/blob/memblob"

	"github.com/omnibucket/storage/memstore"
)

const kilobyte = 1 << 10

// memoryStores lists the in-memory stores of the three libraries.
var memoryStores = []struct {
	name string
	open func() store
}{
	{ours, func() store { return own{bucket: memstore.New()} }},
	{goCloudMem, func() store { return goCloud{bucket: memblob.OpenBucket(nil)} }},
	{objstoreMem, func() store { return objstoreBucket{objstore.NewInMemBucket()} }},
}

// rowsInMemory returns a row for each in-memory store.
func rowsInMemory(setup setupWith[store]) []row {
	var rows []row
	for _, m := range memoryStores {
		rows = append(rows, row{
			name: m.name,
			setup: func(e *env) (opFunc, error) {
				s := m.open()
				e.cleanup = append(e.cleanup, s.close)
				return setup(e, s)
			},
		})
	}
	return rows
}

// onceRow marks the row with the given name, so that it runs only one operation.
func onceRow(rows []row, name string) []row {
	for i := range rows {
		if rows[i].name == name {
			rows[i].once = true
		}
	}
	return rows
}

// memoryCases returns the cases that compare buckets in memory with those of other libraries.
func memoryCases(keys int) []benchCase {
	return []benchCase{
		{
			name:  "memory-put-1k",
			title: "put 1 KiB that is in memory",
			rows:  rowsInMemory(putOp(kilobyte)),
			goals: []goal{asFast(goCloudMem, 4), allocations(8)},
		},
		{
			name:  "memory-upload-1k",
			title: "put 1 KiB from an io.Reader of unknown length",
			rows:  rowsInMemory(uploadOp(kilobyte)),
			goals: []goal{asFast(goCloudMem, 5)},
		},
		{
			name:  "memory-get-1k",
			title: "read all of 1 KiB into memory",
			rows:  rowsInMemory(getOp(kilobyte)),
			goals: []goal{asFast(goCloudMem, 3), allocations(8)},
		},
		{
			name:  "memory-download-1k",
			title: "copy 1 KiB to an io.Writer",
			rows:  rowsInMemory(downloadOp(kilobyte)),
			goals: []goal{asFast(goCloudMem, 5), allocations(8)},
		},
		{
			name:  "memory-put-1m",
			title: "put 1 MiB, checksum included, beside a copy of its bytes",
			rows:  append(rowsInMemory(putOp(1<<20)), row{name: "memcpy", setup: copyOp(1 << 20)}),
			goals: []goal{within("memcpy", 2.5), bytesOf(1<<20, 1.02)},
		},
		{
			name:  "memory-list-1000",
			title: fmt.Sprintf("list the 1,000 keys of one prefix among %d", keys),
			rows:  rowsInMemory(listOp(keys, folder(keys/2000))),
			goals: []goal{asFast(goCloudMem, 20), asFast(objstoreMem, 20)},
		},
		{
			name:  "memory-list-all",
			title: fmt.Sprintf("list all of %d keys in pages of 1,000", keys),
			rows:  onceRow(rowsInMemory(listOp(keys, "")), goCloudMem),
			goals: []goal{asFast(objstoreMem, 5), asFast(goCloudMem, 100)},
		},
		{
			name:  "memory-mixed-16",
			title: "16 goroutines: half reads of 1 KiB, a quarter writes, a quarter attributes",
			rows:  rowsInMemory(mixedOp(16)),
			goals: []goal{asFast(objstoreMem, 1), asFast(goCloudMem, 10)},
		},
	}
}

func key(i int) string { return fmt.Sprintf("%s%06d.txt", folder(i/1000), i) }

func folder(i int) string { return fmt.Sprintf("folder-%03d/", i) }

// keyRing returns n keys. An op uses them one after the other, and then starts again.
func keyRing(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = key(i)
	}
	return keys
}

// putOp returns an op that stores objects of the given number of bytes.
func putOp(bytes int) setupWith[store] {
	return func(e *env, s store) (opFunc, error) {
		data := make([]byte, bytes)
		keys := keyRing(64)
		return func(n int) error {
			for i := range n {
				if err := s.put(e.ctx, keys[i%len(keys)], data); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// getOp returns an op that reads objects of the given number of bytes, and checks their lengths.
func getOp(bytes int) setupWith[store] {
	return func(e *env, s store) (opFunc, error) {
		keys := keyRing(64)
		for _, k := range keys {
			if err := s.put(e.ctx, k, make([]byte, bytes)); err != nil {
				return nil, err
			}
		}
		return func(n int) error {
			for i := range n {
				got, err := s.get(e.ctx, keys[i%len(keys)])
				if err != nil || got != bytes {
					return errors.Join(err, checkCount(got, bytes))
				}
			}
			return nil
		}, nil
	}
}

// uploadOp returns an op that uploads a body of unknown length.
func uploadOp(length int) setupWith[store] {
	return func(e *env, s store) (opFunc, error) {
		data := make([]byte, length)
		keys := keyRing(64)
		return func(n int) error {
			for i := range n {
				if err := s.upload(e.ctx, keys[i%len(keys)], asStream(data)); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// downloadOp returns an op that copies an object to an io.Writer that has only the method Write.
func downloadOp(bytes int) setupWith[store] {
	return func(e *env, s store) (opFunc, error) {
		if err := s.put(e.ctx, "key", make([]byte, bytes)); err != nil {
			return nil, err
		}
		return func(n int) error {
			for range n {
				got, err := s.download(e.ctx, "key", struct{ io.Writer }{io.Discard})
				if err != nil || got != int64(bytes) {
					return errors.Join(err, checkCount(int(got), bytes))
				}
			}
			return nil
		}, nil
	}
}

// listOp fills a store with keys, and returns an op that lists the keys with a prefix. The prefix is
// a folder of 1,000 keys, or "" for all keys.
func listOp(keys int, prefix string) setupWith[store] {
	return func(e *env, s store) (opFunc, error) {
		want := keys
		if prefix != "" {
			want = 1000
		}
		for i := range keys {
			if err := s.put(e.ctx, key(i), []byte{'x'}); err != nil {
				return nil, err
			}
		}
		return func(n int) error {
			for range n {
				if got, err := listed(e.ctx, s, prefix); err != nil || got != want {
					return errors.Join(err, checkCount(got, want))
				}
			}
			return nil
		}, nil
	}
}

// mixedOp returns an op that several goroutines run together. Half of the operations read an object, a
// quarter store one, and a quarter get the attributes of one.
func mixedOp(goroutines int) setupWith[store] {
	return func(e *env, s store) (opFunc, error) {
		keys := keyRing(10_000)
		data := make([]byte, kilobyte)
		for _, k := range keys {
			if err := s.put(e.ctx, k, data); err != nil {
				return nil, err
			}
		}
		return func(n int) error {
			return together(goroutines, func(g int) error {
				for i := g; i < n; i += goroutines {
					// The factor is a prime number, so that successive keys are far apart.
					k := keys[i*7919%len(keys)]
					var err error
					switch i / goroutines % 4 {
					case 0, 1:
						_, err = s.get(e.ctx, k)
					case 2:
						err = s.put(e.ctx, k, data)
					default:
						err = s.attrs(e.ctx, k)
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		}, nil
	}
}

// copyOp returns an op that does the minimum of what a put must do: it allocates memory and copies
// the bytes.
func copyOp(bytes int) setupFunc {
	return func(*env) (opFunc, error) {
		data := make([]byte, bytes)
		return func(n int) error {
			for range n {
				runtime.KeepAlive(append([]byte(nil), data...))
			}
			return nil
		}, nil
	}
}

func checkCount(got, want int) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("got %d, want %d", got, want)
}
