package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

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

// adapters are this library and its adapters, over one bucket.
var adapters = []struct {
	name string
	over func(ctx context.Context, b storage.Bucket) adapterStore
}{
	{ours, func(_ context.Context, b storage.Bucket) adapterStore { return own{bucket: b} }},
	{viaGoCloud, func(_ context.Context, b storage.Bucket) adapterStore { return goCloud{bucket: gocloud.OpenBucket(b)} }},
	{viaObjstore, func(_ context.Context, b storage.Bucket) adapterStore {
		return objstoreBucket{objstore.New(b, objstore.Config{Name: "benchmarks"})}
	}},
	{viaAfero, func(ctx context.Context, b storage.Bucket) adapterStore { return newAferoStore(ctx, b) }},
}

// adapterCases compare each adapter with the direct calls: on memory and, if it runs, on MinIO,
// where the drivers of the other libraries compete too:
//
//	go run -C ../testservers . -only minio -dir ../benchmarks -- go run . -run adapters -per 1s
func adapterCases() []benchCase {
	const middle = 64 * kilobyte
	var cases []benchCase
	for _, c := range []struct {
		name, title string
		op          func(*env, adapterStore) (func(int) error, error)
		copies      bool
	}{
		{"put-1k", "put 1 KiB that is in memory", adapterPut(kilobyte), false},
		{"put-8m", "put 8 MiB that is in memory", adapterPut(8 * mebibyte), false},
		{"get-1k", "copy 1 KiB to an io.Writer", adapterGet(kilobyte), false},
		{"get-8m", "copy 8 MiB to an io.Writer", adapterGet(8 * mebibyte), false},
		{"range-64k", "read 64 KiB in the middle of 8 MiB", adapterRange(8*mebibyte, 4*mebibyte, middle), false},
		{"list-1000", "list a folder of 1,000 keys with their sizes", adapterList(1000), false},
		{"attrs", "the attributes of one object", adapterAttrs, false},
		{"exists", "whether an object is there: one that is, and one that is not", adapterExists, false},
		{"delete", "put 1 KiB, and delete it", adapterDelete, false},
		{"copy", "copy an object of 1 KiB in its bucket", adapterCopy, true},
	} {
		cases = append(cases, benchCase{name: "adapters-memory-" + c.name, title: c.title, rows: adapterRows(c.op, c.copies, adaptersInMemory())})
		if os.Getenv(minioVariable) == "" {
			continue
		}
		goals := []goal{notSlower(viaGoCloud, goCloudS3)}
		if c.name != "put-8m" { // s3blob keeps 16 MiB in memory before it sends parts
			goals = append(goals, noMoreRequests(viaGoCloud, goCloudS3))
		}
		if !c.copies {
			goals = append(goals, notSlower(viaObjstore, objstoreS3), noMoreRequests(viaObjstore, objstoreS3))
		}
		cases = append(cases, benchCase{name: "adapters-minio-" + c.name, title: c.title, rows: adapterRows(c.op, c.copies, adaptersOnMinIO()), goals: goals})
	}
	return cases
}

// An adapterRow is a contender of the adapters' cases.
type adapterRow struct {
	name string
	open func(e *env) (adapterStore, error)
	// count opens the same store through a server that counts requests; nil: they are not counted.
	count func(e *env) (adapterStore, func() map[string]int, error)
}

func adaptersInMemory() []adapterRow {
	var rows []adapterRow
	for _, a := range adapters {
		rows = append(rows, adapterRow{name: a.name, open: func(e *env) (adapterStore, error) {
			return a.over(e.ctx, memstore.New()), nil
		}})
	}
	return rows
}

func adapterRows(op func(*env, adapterStore) (func(int) error, error), copies bool, contenders []adapterRow) []row {
	var rows []row
	for _, c := range contenders {
		if copies && (c.name == viaObjstore || c.name == viaAfero || c.name == objstoreS3) {
			continue // their interfaces have no copy
		}
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

// afterPut does n operations on an object of that size.
func afterPut(size int, do func(ctx context.Context, s adapterStore) error) func(*env, adapterStore) (func(int) error, error) {
	return func(e *env, s adapterStore) (func(int) error, error) {
		if err := s.put(e.ctx, adapterKey, make([]byte, size)); err != nil {
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

func adapterGet(size int) func(*env, adapterStore) (func(int) error, error) {
	return afterPut(size, func(ctx context.Context, s adapterStore) error {
		got, err := s.download(ctx, adapterKey, struct{ io.Writer }{io.Discard})
		return errors.Join(err, checkCount(int(got), size))
	})
}

func adapterRange(size int, offset, length int64) func(*env, adapterStore) (func(int) error, error) {
	return afterPut(size, func(ctx context.Context, s adapterStore) error { return s.readRange(ctx, adapterKey, offset, length) })
}

var (
	adapterAttrs  = afterPut(kilobyte, func(ctx context.Context, s adapterStore) error { return s.attrs(ctx, adapterKey) })
	adapterExists = afterPut(kilobyte, func(ctx context.Context, s adapterStore) error {
		there, err := s.exists(ctx, adapterKey)
		missing, missingErr := s.exists(ctx, "folder/none")
		if !there || missing {
			err = errors.Join(err, errors.New("exists is wrong"))
		}
		return errors.Join(err, missingErr)
	})
	adapterDelete = afterPut(kilobyte, func(ctx context.Context, s adapterStore) error {
		return errors.Join(s.put(ctx, "folder/other", smallObject), s.remove(ctx, "folder/other"))
	})
	adapterCopy = afterPut(kilobyte, func(ctx context.Context, s adapterStore) error { return s.copyTo(ctx, "folder/copy", adapterKey) })
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
