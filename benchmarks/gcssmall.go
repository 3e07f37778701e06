package main

import (
	"bytes"
	"context"
	"errors"
	"io"

	gcssdk "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
)

const oursKnown = ours + ", of known length"

// A doer does one thing with one small object; the bytes are its own, or the
// buffer for them.
type doer func(ctx context.Context, key string, data []byte) error

// putGCS are contenders for a small upload whose length nobody is told: the
// SDK's writer is never told one.
var putGCS = []struct {
	name string
	open func(ctx context.Context, server string) (doer, error)
}{
	{ours, putOursGCS(func(data []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(data)} })},
	{oursKnown, putOursGCS(func(data []byte) io.Reader { return bytes.NewReader(data) })},
	{rawGCS, putRawGCS(func(*gcssdk.Writer) {})},
	{rawGCSSmall, putRawGCS(func(w *gcssdk.Writer) { w.ChunkSize = gcsChunkUnit })},
	// Of one request it looks at the checksum afterwards; the server has none.
	{rawGCSOnce, putRawGCS(func(w *gcssdk.Writer) { w.ChunkSize, w.DisableAutoChecksum = 0, true })},
	{goCloudGCS, func(ctx context.Context, server string) (doer, error) {
		s, err := goCloudGCSBucket(ctx, server)
		return s.put, err
	}},
}

var getGCS = []struct {
	name string
	open func(ctx context.Context, server string) (doer, error)
}{
	{ours, func(ctx context.Context, server string) (doer, error) {
		b, err := ownGCS(ctx, server)
		return getOurs(b), err
	}},
	{rawGCS, func(ctx context.Context, server string) (doer, error) {
		bucket, err := gcsHandle(ctx, server)
		return func(ctx context.Context, key string, buffer []byte) error {
			r, err := bucket.Object(key).NewReader(ctx)
			if err != nil {
				return err
			}
			return drain(r, buffer)
		}, err
	}},
	{goCloudGCS, func(ctx context.Context, server string) (doer, error) {
		s, err := goCloudGCSBucket(ctx, server)
		return getGoCloud(s), err
	}},
}

func putOursGCS(body func(data []byte) io.Reader) func(ctx context.Context, server string) (doer, error) {
	return func(ctx context.Context, server string) (doer, error) {
		b, err := ownGCS(ctx, server)
		return func(ctx context.Context, key string, data []byte) error {
			_, err := b.Upload(ctx, key, body(data), storage.WithContentType(contentType))
			return err
		}, err
	}
}

func putRawGCS(set func(*gcssdk.Writer)) func(ctx context.Context, server string) (doer, error) {
	return func(ctx context.Context, server string) (doer, error) {
		bucket, err := gcsHandle(ctx, server)
		return func(ctx context.Context, key string, data []byte) error {
			w := bucket.Object(key).NewWriter(ctx)
			w.ContentType = contentType
			set(w)
			_, err := w.Write(data)
			return errors.Join(err, w.Close())
		}, err
	}
}

func getOurs(b storage.Bucket) doer {
	return func(ctx context.Context, key string, buffer []byte) error {
		r, err := b.Download(ctx, key)
		if err != nil {
			return err
		}
		return drain(r, buffer)
	}
}

func getGoCloud(s goCloud) doer {
	return func(ctx context.Context, key string, buffer []byte) error {
		r, err := s.bucket.NewReader(ctx, key, nil)
		if err != nil {
			return err
		}
		return drain(r, buffer)
	}
}

// smallAt does one thing with 1 KiB, over and over.
func smallAt(server func(*env) (string, error), open func(ctx context.Context, server string) (doer, error)) func(*env) (func(int) error, error) {
	return func(e *env) (func(int) error, error) {
		url, err := server(e)
		if err != nil {
			return nil, err
		}
		do, err := open(e.ctx, url)
		keys, data := make([]string, 64), make([]byte, kilobyte)
		for i := range keys {
			keys[i] = sized(kilobyte, i)
		}
		return func(n int) error {
			for i := range n {
				if err := do(e.ctx, keys[i%len(keys)], data); err != nil {
					return err
				}
			}
			return nil
		}, err
	}
}

func gcsSmallCases() []benchCase {
	put := benchCase{
		name: "gcs-put-1k", title: "put 1 KiB that comes from an io.Reader, over TLS",
		goals: []goal{bytesAtMost(500e3), requestsAtMost(ours, 1), requestsAtMost(oursKnown, 1), allocationsOver(ours, rawGCS, 0), lessCPU(ours, rawGCS, 1)},
	}
	for _, s := range putGCS {
		put.rows = append(put.rows, row{name: s.name, setup: smallAt(googleStorage.at(nearTLS), s.open)})
	}
	get := benchCase{
		name: "gcs-get-1k", title: "get 1 KiB into a buffer, its checksum looked at, over TLS",
		goals: []goal{requestsAtMost(ours, 1), allocationsOver(ours, rawGCS, 3), lessCPU(ours, rawGCS, 1)},
	}
	for _, s := range getGCS {
		get.rows = append(get.rows, row{name: s.name, setup: smallAt(googleStorage.at(nearTLS), s.open)})
	}
	return []benchCase{put, get}
}
