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

// These are the names of the rows that use this library through an adapter.
const (
	viaGoCloud  = "adapters/gocloud"
	viaObjstore = "adapters/objstore"
	viaAfero    = "adapters/afero"
)

// An adapterStore has the operations that the cases of the adapters measure.
type adapterStore interface {
	store
	readRange(ctx context.Context, key string, offset, length int64) error // reads the whole range
	exists(ctx context.Context, key string) (bool, error)
	remove(ctx context.Context, key string) error
	copyTo(ctx context.Context, to, from string) error // returns errors.ErrUnsupported if the library has no copy
}

// An adapter wraps a bucket of this library in a store of type S. In each case, the first adapter
// is the one without a wrapper, so that the others can be compared with direct calls.
type adapter[S closer] struct {
	name string
	wrap func(ctx context.Context, b storage.Bucket) (S, error)
}

type closer interface{ close() error }

// directCalls calls this library directly, without an adapter.
var directCalls = adapter[adapterStore]{
	ours, func(_ context.Context, b storage.Bucket) (adapterStore, error) { return own{bucket: b}, nil },
}

// storeAdapters lists the adapters that have most operations of a bucket.
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

// adapterCases returns the cases that compare each adapter with direct calls of this library. They
// run in memory. If MinIO is running, they also run on MinIO, together with the drivers of the
// other libraries:
//
//	go run -C ../testservers . -only minio -dir ../benchmarks -- go run . -run adapters -per 1s
func adapterCases() []benchCase {
	return slices.Concat(storeCases(), icebergCases(), tusCases(), sqliteCases(), temporalCases())
}

// An adapterCase measures the same operation with several stores of type S.
type adapterCase[S closer] struct {
	name, title string
	setup       setupWith[S]
	goals       []goal // requirements for the case on MinIO
}

// casesOf returns a case in memory. If MinIO is running, it also returns a case on MinIO, in which
// the other libraries take part.
func casesOf[S closer](c adapterCase[S], adapters []adapter[S], peers ...adapterRow[S]) []benchCase {
	all := []benchCase{{name: "adapters-memory-" + c.name, title: c.title, rows: adapterRows(c.setup, inMemory(adapters))}}
	if os.Getenv(minioVariable) == "" {
		return all
	}
	rows := adapterRows(c.setup, append(onMinIO(adapters), peers...))
	return append(all, benchCase{name: "adapters-minio-" + c.name, title: c.title, rows: rows, goals: c.goals})
}

// storeCases returns the cases of the adapters that offer the interface of another library for
// buckets.
func storeCases() []benchCase {
	goCloud := minioRow(goCloudS3, minioGoCloud)
	objstore := minioRow(objstoreS3, minioObjstore)
	var cases []benchCase
	for _, c := range []adapterCase[adapterStore]{
		{name: "put-1k", title: "put 1 KiB that is in memory", setup: adapterPut(kilobyte)},
		{name: "put-8m", title: "put 8 MiB that is in memory", setup: adapterPut(8 * mebibyte)},
		{name: "get-1k", title: "copy 1 KiB to an io.Writer", setup: adapterDownload(adapterKey, kilobyte)},
		{name: "get-8m", title: "copy 8 MiB to an io.Writer", setup: adapterDownload(adapterKey, 8*mebibyte)},
		{name: "range-64k", title: "read 64 KiB in the middle of 8 MiB", setup: adapterRange(8*mebibyte, 4*mebibyte, 64*kilobyte)},
		{name: "list-1000", title: "list a folder of 1,000 keys with their sizes", setup: adapterList(1000)},
		{name: "attrs", title: "the attributes of one object", setup: adapterAttrs},
		{name: "exists", title: "whether an object is there: one that is, and one that is not", setup: adapterExists},
		{name: "delete", title: "put 1 KiB, and delete it", setup: adapterDelete},
	} {
		c.goals = []goal{
			notSlower(viaGoCloud, goCloudS3), notSlower(viaObjstore, objstoreS3),
			noMoreRequests(viaObjstore, objstoreS3),
		}
		// For 8 MiB, s3blob needs fewer requests than this library, because it keeps 16 MiB in memory.
		if c.name != "put-8m" {
			c.goals = append(c.goals, noMoreRequests(viaGoCloud, goCloudS3))
		}
		cases = append(cases, casesOf(c, storeAdapters, goCloud, objstore)...)
	}

	copies := adapterCase[adapterStore]{
		"copy", "copy an object of 1 KiB in its bucket", adapterCopy,
		[]goal{notSlower(viaGoCloud, goCloudS3), noMoreRequests(viaGoCloud, goCloudS3)},
	}
	// Only direct calls and the adapter for gocloud.dev, which are the first two, have a copy.
	copiers := storeAdapters[:2]
	return append(cases, casesOf(copies, copiers, goCloud)...)
}

// An adapterRow is one library or adapter in a case of the adapters.
type adapterRow[S closer] struct {
	name string
	open func(e *env) (S, error)
	// count opens the store through a proxy that counts its traffic. If count is nil, the traffic
	// is not counted.
	count func(e *env) (S, func() traffic, error)
}

func inMemory[S closer](adapters []adapter[S]) []adapterRow[S] {
	var rows []adapterRow[S]
	for _, a := range adapters {
		rows = append(rows, adapterRow[S]{
			name: a.name,
			open: func(e *env) (S, error) { return a.wrap(e.ctx, memstore.New()) },
		})
	}
	return rows
}

// adapterRows returns a row for each contender. If a contender can count its traffic, the row also
// shows the requests and the received bytes of an operation.
func adapterRows[S closer](setup setupWith[S], contenders []adapterRow[S]) []row {
	var rows []row
	for _, c := range contenders {
		rows = append(rows, row{
			name: c.name,
			setup: func(e *env) (opFunc, error) {
				s, err := c.open(e)
				if err != nil {
					return nil, err
				}
				e.cleanup = append(e.cleanup, s.close)
				op, err := setup(e, s)
				if err != nil {
					return nil, err
				}
				if c.count == nil {
					return op, nil
				}
				return countedOp(e, c, setup, op)
			},
		})
	}
	return rows
}

// adapterKey is the key of the measured object. It is in a folder, because file systems list by
// folder.
const adapterKey = "folder/key"

// repeated returns an op that calls do n times.
func repeated(do func() error) opFunc {
	return func(n int) error {
		for range n {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	}
}

func adapterPut(size int) setupWith[adapterStore] {
	return func(e *env, s adapterStore) (opFunc, error) {
		data := make([]byte, size)
		return repeated(func() error { return s.put(e.ctx, adapterKey, data) }), nil
	}
}

// adapterUpload uploads a body of unknown length in each operation.
func adapterUpload(size int) setupWith[adapterStore] {
	return func(e *env, s adapterStore) (opFunc, error) {
		data := make([]byte, size)
		return repeated(func() error { return s.upload(e.ctx, adapterKey, asStream(data)) }), nil
	}
}

// An adapterCall makes one call of a store.
type adapterCall func(ctx context.Context, s adapterStore) error

// afterPut measures a call of a store. Before the measurement, the setup stores an object of the
// given size, which the call can use.
func afterPut(key string, size int, call adapterCall) setupWith[adapterStore] {
	return func(e *env, s adapterStore) (opFunc, error) {
		if err := s.put(e.ctx, key, make([]byte, size)); err != nil {
			return nil, err
		}
		return repeated(func() error { return call(e.ctx, s) }), nil
	}
}

func adapterReadAll(size int) setupWith[adapterStore] {
	return afterPut(adapterKey, size, func(ctx context.Context, s adapterStore) error {
		got, err := s.get(ctx, adapterKey)
		return errors.Join(err, checkCount(got, size))
	})
}

func adapterDownload(key string, size int) setupWith[adapterStore] {
	return afterPut(key, size, func(ctx context.Context, s adapterStore) error {
		got, err := s.download(ctx, key, struct{ io.Writer }{io.Discard})
		return errors.Join(err, checkCount(int(got), size))
	})
}

func adapterRange(size int, offset, length int64) setupWith[adapterStore] {
	return afterPut(adapterKey, size, func(ctx context.Context, s adapterStore) error {
		return s.readRange(ctx, adapterKey, offset, length)
	})
}

var (
	adapterAttrs  = afterPut(adapterKey, kilobyte, callAttrs)
	adapterExists = afterPut(adapterKey, kilobyte, callExists)
	adapterDelete = afterPut(adapterKey, kilobyte, callDelete)
	adapterCopy   = afterPut(adapterKey, kilobyte, callCopy)
)

func callAttrs(ctx context.Context, s adapterStore) error { return s.attrs(ctx, adapterKey) }

// callExists asks for an object that exists, and for one that does not.
func callExists(ctx context.Context, s adapterStore) error {
	exists, err := s.exists(ctx, adapterKey)
	missingExists, missingErr := s.exists(ctx, "folder/none")
	if !exists || missingExists {
		err = errors.Join(err, errors.New("exists is wrong"))
	}
	return errors.Join(err, missingErr)
}

func callDelete(ctx context.Context, s adapterStore) error {
	return errors.Join(s.put(ctx, "folder/other", smallObject), s.remove(ctx, "folder/other"))
}

func callCopy(ctx context.Context, s adapterStore) error {
	return s.copyTo(ctx, "folder/copy", adapterKey)
}

// adapterList returns an op that lists a folder with the given number of keys.
func adapterList(keys int) setupWith[adapterStore] {
	return func(e *env, s adapterStore) (opFunc, error) {
		for i := range keys {
			if err := s.put(e.ctx, fmt.Sprintf("folder/%06d.txt", i), []byte{'x'}); err != nil {
				return nil, err
			}
		}
		return repeated(func() error {
			got, err := listed(e.ctx, s, "folder/")
			return errors.Join(err, checkCount(got, keys))
		}), nil
	}
}

func (s own) readRange(ctx context.Context, key string, offset, length int64) error {
	r, err := s.bucket.Download(ctx, key, storage.WithRange(offset, length))
	return checkRange(length, r, err)
}

func (s own) exists(ctx context.Context, key string) (bool, error) { return s.bucket.Exists(ctx, key) }
func (s own) remove(ctx context.Context, key string) error         { return s.bucket.Remove(ctx, key) }

func (s own) copyTo(ctx context.Context, dst, src string) error {
	_, err := storage.Copy(ctx, s.bucket, dst, s.bucket, src, storage.WithoutAttrs())
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

func (s goCloud) copyTo(ctx context.Context, dst, src string) error {
	return s.bucket.Copy(ctx, dst, src, nil)
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

// checkRange reads r to its end, and fails if it does not have length bytes. If err is not nil, it
// returns err.
func checkRange(length int64, r io.ReadCloser, err error) error {
	got, err := copyAndClose(struct{ io.Writer }{io.Discard}, r, err)
	return errors.Join(err, checkCount(int(got), int(length)))
}
