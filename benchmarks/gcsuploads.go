package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/omnibucket/storage"
)

// childGCSUploads makes a thousand uploads at once, in a process of its own.
const childGCSUploads = "uploads to GCS"

// gcsUploadsOrder is what it reads from its standard input.
type gcsUploadsOrder struct{ Row, URL string }

// gcsUploading are the contenders. The SDK's writer has 16 MiB each by default,
// which is more than machines have: it is asked for the least that it can do
// with.
var gcsUploading = []struct {
	name string
	open func(context.Context, string) (func(ctx context.Context, key string, body io.Reader) error, error)
}{
	{ours, func(ctx context.Context, server string) (func(context.Context, string, io.Reader) error, error) {
		b, err := ownGCS(ctx, server, storage.WithMemory(storage.NewMemory(memoryLimit)))
		return func(ctx context.Context, key string, body io.Reader) error {
			_, err := b.Upload(ctx, key, body)
			return err
		}, err
	}},
	{rawGCSSmall, func(ctx context.Context, server string) (func(context.Context, string, io.Reader) error, error) {
		bucket, err := gcsHandle(ctx, server)
		return func(ctx context.Context, key string, body io.Reader) error {
			w := bucket.Object(key).NewWriter(ctx)
			w.ChunkSize = gcsChunkUnit
			_, err := io.Copy(w, body)
			return errors.Join(err, w.Close())
		}, err
	}},
}

func runGCSUploads(in io.Reader, out io.Writer) error {
	var order gcsUploadsOrder
	if err := readJSON(in, &order); err != nil {
		return err
	}
	for _, c := range gcsUploading {
		if c.name != order.Row {
			continue
		}
		upload, err := c.open(context.Background(), order.URL)
		if err != nil {
			return err
		}
		report, err := uploadAtOnce(upload)
		return errors.Join(err, writeJSON(out, report))
	}
	return fmt.Errorf("no uploads of %q", order.Row)
}

func gcsUploadsAtOnce(name string) func(*env) (func(int) error, error) {
	return func(e *env) (func(int) error, error) {
		url, err := googleStorage.at(nearPlain)(e)
		return func(int) error {
			cmd, err := e.child(childGCSUploads)
			if err != nil {
				return err
			}
			in, err := cmd.StdinPipe()
			if err != nil {
				return err
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				return err
			}
			if err := cmd.Start(); err != nil {
				return err
			}
			var r childReport
			err = errors.Join(writeJSON(in, gcsUploadsOrder{name, url}), readJSON(out, &r))
			e.peaks[name] = float64(r.PeakHeap)
			return errors.Join(err, in.Close(), cmd.Wait())
		}, err
	}
}

func gcsUploadsCase() benchCase {
	// Each upload has a connection of its own: that of net/http, with a request
	// and its goroutines, is about half as much.
	const (
		perConnection = 32 << 10 // bytes
		most          = memoryLimit + uploads*perConnection
	)
	c := benchCase{
		name:  "gcs-uploads-1000",
		title: fmt.Sprintf("%d uploads of 1 KiB and unknown length, all under way at once over plain http, ours with a Memory of %s", uploads, size(memoryLimit)),
		goals: []goal{{fmt.Sprintf("the heap grows by at most the Memory and %s for each connection, %s", size(perConnection), size(most)), func(rows map[string]*result) (string, bool) {
			seen := rows[ours].peak
			return size(seen), seen > 0 && seen <= most
		}}},
	}
	for _, r := range gcsUploading {
		c.rows = append(c.rows, row{name: r.name, setup: gcsUploadsAtOnce(r.name), once: true})
	}
	return c
}
