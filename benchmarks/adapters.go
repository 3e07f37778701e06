package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/gocloud"
	"github.com/omnibucket/storage/adapters/objstore"
	"github.com/omnibucket/storage/memstore"
)

// The adapters over this library.
const (
	viaGoCloud  = "adapters/gocloud"
	viaObjstore = "adapters/objstore"
	viaAfero    = "adapters/afero"
)

// An adapterStore has the operations that the cases of the adapters compare.
type adapterStore interface {
	store
	readRange(ctx context.Context, key string, offset, length int64) error // to its end
	exists(ctx context.Context, key string) (bool, error)
	remove(ctx context.Context, key string) error
	copyTo(ctx context.Context, to, from string) error // errors.ErrUnsupported if the library has none
}

// An adapter makes a store of our bucket. The first of a case makes the direct calls.
type adapter[S closer] struct {
	name string
	over func(ctx context.Context, b storage.Bucket) (S, error)
}

type closer interface{ close() error }

// directCalls are the calls of this library.
var directCalls = adapter[adapterStore]{ours, func(_ context.Context, b storage.Bucket) (adapterStore, error) { return own{bucket: b}, nil }}

// storeAdapters are the adapters that have most operations of a bucket.
var storeAdapters = []adapter[adapterStore]{
	directCalls,
	{viaGoCloud, func(_ context.Context, b storage.Bucket) (adapterStore, error) {
		return goCloud{bucket: gocloud.OpenBucket(b)}, nil
	}},
	{viaObjstore, func(_ context.Context, b storage.Bucket) (adapterStore, error) {
		return objstoreBucket{objstore.New(b, objstore.Config{Name: "benchmarks"})}, nil
	}},
	{viaAfero, func(ctx context.Context, b storage.Bucket) (adapterStore, error) { return newAferoStore(ctx, b), nil }},
}

// adapterCases compare each adapter with the direct calls: in memory and, if it runs, on MinIO,
// where the drivers of the other libraries compete too:
//
//	go run -C ../testservers . -only minio -dir ../benchmarks -- go run . -run adapters -per 1s
func adapterCases() []benchCase {
	return slices.Concat(storeCases(), icebergCases(), tusCases(), sqliteCases())
}

// An adapterCase compares stores of type S.
type adapterCase[S closer] struct {
	name, title string
	op          func(*env, S) (func(int) error, error)
	goals       []goal // on MinIO
}

// casesOf returns the case in memory and, if it runs, the one on MinIO, where peers compete too.
func casesOf[S closer](c adapterCase[S], adapters []adapter[S], peers ...adapterRow[S]) []benchCase {
	all := []benchCase{{name: "adapters-memory-" + c.name, title: c.title, rows: adapterRows(c.op, inMemory(adapters))}}
	if os.Getenv(minioVariable) == "" {
		return all
	}
	rows := adapterRows(c.op, append(onMinIO(adapters), peers...))
	return append(all, benchCase{name: "adapters-minio-" + c.name, title: c.title, rows: rows, goals: c.goals})
}

func storeCases() []benchCase {
	const middle = 64 * kilobyte
	var cases []benchCase
	for _, c := range []struct {
		name, title string
		op          func(*env, adapterStore) (func(int) error, error)
		copies      bool
	}{
		{"put-1k", "put 1 KiB that is in memory", adapterPut(kilobyte), false},
		{"put-8m", "put 8 MiB that is in memory", adapterPut(8 * mebibyte), false},
		{"get-1k", "copy 1 KiB to an io.Writer", adapterDownload(adapterKey, kilobyte), false},
		{"get-8m", "copy 8 MiB to an io.Writer", adapterDownload(adapterKey, 8*mebibyte), false},
		{"range-64k", "read 64 KiB in the middle of 8 MiB", adapterRange(8*mebibyte, 4*mebibyte, middle), false},
		{"list-1000", "list a folder of 1,000 keys with their sizes", adapterList(1000), false},
		{"attrs", "the attributes of one object", adapterAttrs, false},
		{"exists", "whether an object is there: one that is, and one that is not", adapterExists, false},
		{"delete", "put 1 KiB, and delete it", adapterDelete, false},
		{"copy", "copy an object of 1 KiB in its bucket", adapterCopy, true},
	} {
		goals := []goal{notSlower(viaGoCloud, goCloudS3)}
		if c.name != "put-8m" { // s3blob keeps 16 MiB in memory before it sends parts
			goals = append(goals, noMoreRequests(viaGoCloud, goCloudS3))
		}
		adapters, peers := storeAdapters, []adapterRow[adapterStore]{minioRow(goCloudS3, minioGoCloud)}
		if c.copies { // the interfaces of objstore and afero have no copy
			adapters = slices.DeleteFunc(slices.Clone(adapters), func(a adapter[adapterStore]) bool { return a.name == viaObjstore || a.name == viaAfero })
		} else {
			peers = append(peers, minioRow(objstoreS3, minioObjstore))
			goals = append(goals, notSlower(viaObjstore, objstoreS3), noMoreRequests(viaObjstore, objstoreS3))
		}
		cases = append(cases, casesOf(adapterCase[adapterStore]{c.name, c.title, c.op, goals}, adapters, peers...)...)
	}
	return cases
}

// An adapterRow is a contender of the adapters' cases.
type adapterRow[S closer] struct {
	name string
	open func(e *env) (S, error)
	// count opens the same store through a server that counts its traffic; nil: it is not counted.
	count func(e *env) (S, func() traffic, error)
}

func inMemory[S closer](adapters []adapter[S]) []adapterRow[S] {
	var rows []adapterRow[S]
	for _, a := range adapters {
		rows = append(rows, adapterRow[S]{name: a.name, open: func(e *env) (S, error) { return a.over(e.ctx, memstore.New()) }})
	}
	return rows
}

func adapterRows[S closer](op func(*env, S) (func(int) error, error), contenders []adapterRow[S]) []row {
	var rows []row
	for _, c := range contenders {
		rows = append(rows, row{name: c.name, setup: func(e *env) (func(int) error, error) {
			s, err := c.open(e)
			if err != nil {
				return nil, err
			}
			e.cleanup = append(e.cleanup, s.close)
			run, err := op(e, s)
			if err != nil || c.count == nil {
				return run, err
			}
			return countedOp(e, c, op, run)
		}})
	}
	return rows
}

// adapterKey is in a folder, because file systems list folders.
const adapterKey = "folder/key"

func adapterPut(size int) func(*env, adapterStore) (func(int) error, error) {
	return func(e *env, s adapterStore) (func(int) error, error) {
		data := make([]byte, size)
		return func(n int) error {
			for range n {
				if err := s.put(e.ctx, adapterKey, data); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// adapterUpload puts a body of unknown length.
func adapterUpload(size int) func(*env, adapterStore) (func(int) error, error) {
	return func(e *env, s adapterStore) (func(int) error, error) {
		data := make([]byte, size)
		return func(n int) error {
			for range n {
				if err := s.upload(e.ctx, adapterKey, asStream(data)); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// afterPut does n operations on an object of that size, which is put first.
func afterPut(key string, size int, do func(ctx context.Context, s adapterStore) error) func(*env, adapterStore) (func(int) error, error) {
	return func(e *env, s adapterStore) (func(int) error, error) {
		if err := s.put(e.ctx, key, make([]byte, size)); err != nil {
			return nil, err
		}
		return func(n int) error {
			for range n {
				if err := do(e.ctx, s); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

func adapterReadAll(size int) func(*env, adapterStore) (func(int) error, error) {
	return afterPut(adapterKey, size, func(ctx context.Context, s adapterStore) error {
		got, err := s.get(ctx, adapterKey)
		return errors.Join(err, checkCount(got, size))
	})
}

func adapterDownload(key string, size int) func(*env, adapterStore) (func(int) error, error) {
	return afterPut(key, size, func(ctx context.Context, s adapterStore) error {
		got, err := s.download(ctx, key, struct{ io.Writer }{io.Discard})
		return errors.Join(err, checkCount(int(got), size))
	})
}

func adapterRange(size int, offset, length int64) func(*env, adapterStore) (func(int) error, error) {
	return afterPut(adapterKey, size, func(ctx context.Context, s adapterStore) error { return s.readRange(ctx, adapterKey, offset, length) })
}

var (
	adapterAttrs  = afterPut(adapterKey, kilobyte, func(ctx context.Context, s adapterStore) error { return s.attrs(ctx, adapterKey) })
	adapterExists = afterPut(adapterKey, kilobyte, func(ctx context.Context, s adapterStore) error {
		there, err := s.exists(ctx, adapterKey)
		missing, missingErr := s.exists(ctx, "folder/none")
		if !there || missing {
			err = errors.Join(err, errors.New("exists is wrong"))
		}
		return errors.Join(err, missingErr)
	})
	adapterDelete = afterPut(adapterKey, kilobyte, func(ctx context.Context, s adapterStore) error {
		return errors.Join(s.put(ctx, "folder/other", smallObject), s.remove(ctx, "folder/other"))
	})
	adapterCopy = afterPut(adapterKey, kilobyte, func(ctx context.Context, s adapterStore) error { return s.copyTo(ctx, "folder/copy", adapterKey) })
)

func adapterList(keys int) func(*env, adapterStore) (func(int) error, error) {
	return func(e *env, s adapterStore) (func(int) error, error) {
		for i := range keys {
			if err := s.put(e.ctx, fmt.Sprintf("folder/%06d.txt", i), []byte{'x'}); err != nil {
				return nil, err
			}
		}
		return func(n int) error {
			for range n {
				if got, err := listed(e.ctx, s, "folder/"); err != nil || got != keys {
					return errors.Join(err, checkCount(got, keys))
				}
			}
			return nil
		}, nil
	}
}

func (s own) readRange(ctx context.Context, key string, offset, length int64) error {
	r, err := s.bucket.Download(ctx, key, storage.WithRange(offset, length))
	return checkRange(length, r, err)
}

func (s own) exists(ctx context.Context, key string) (bool, error) { return s.bucket.Exists(ctx, key) }
func (s own) remove(ctx context.Context, key string) error         { return s.bucket.Remove(ctx, key) }

func (s own) copyTo(ctx context.Context, to, from string) error {
	_, err := storage.Copy(ctx, s.bucket, to, s.bucket, from)
	return err
}

func (s goCloud) readRange(ctx context.Context, key string, offset, length int64) error {
	r, err := s.bucket.NewRangeReader(ctx, key, offset, length, nil)
	return checkRange(length, r, err)
}

func (s goCloud) exists(ctx context.Context, key string) (bool, error) {
	return s.bucket.Exists(ctx, key)
}

func (s goCloud) remove(ctx context.Context, key string) error { return s.bucket.Delete(ctx, key) }

func (s goCloud) copyTo(ctx context.Context, to, from string) error {
	return s.bucket.Copy(ctx, to, from, nil)
}

func (s objstoreBucket) readRange(ctx context.Context, key string, offset, length int64) error {
	r, err := s.bucket.GetRange(ctx, key, offset, length)
	return checkRange(length, r, err)
}

func (s objstoreBucket) exists(ctx context.Context, key string) (bool, error) {
	return s.bucket.Exists(ctx, key)
}

func (s objstoreBucket) remove(ctx context.Context, key string) error {
	return s.bucket.Delete(ctx, key)
}

func (objstoreBucket) copyTo(context.Context, string, string) error { return errors.ErrUnsupported }

// checkRange reads r to its end, unless opening it failed.
func checkRange(length int64, r io.ReadCloser, err error) error {
	got, err := copyAndClose(struct{ io.Writer }{io.Discard}, r, err)
	return errors.Join(err, checkCount(int(got), int(length)))
}
