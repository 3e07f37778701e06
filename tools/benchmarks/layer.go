package main

import (
	"bytes"
	"context"
	"hash/crc32"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// bareDriver is the name of a row that calls the memory driver in the same way as the engine does,
// but without a bucket. The difference to the row with a bucket is the cost of the engine.
const bareDriver = "the driver alone"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// unconfigured is the name of a row that measures the library's telemetry in a program without a
// telemetry setup. In the row with the name ours, the library's telemetry is turned off.
const unconfigured = "with telemetry, not set up"

// layerCases returns the cases that show what the engine costs above a driver in memory.
func layerCases() []benchCase {
	seekable := func(data []byte) io.Reader { return bytes.NewReader(data) }
	return []benchCase{
		{
			name:  "layer-put-1k",
			title: "what the engine adds to a driver's put of 1 KiB",
			rows: []row{
				{name: ours, setup: bucketPut(seekable, noTelemetry())},
				{name: unconfigured, setup: bucketPut(seekable)},
				{name: bareDriver, setup: driverPut},
			},
			goals: []goal{moreThan(ours, bareDriver, 3, 512), moreThan(unconfigured, ours, 3, 512)},
		},
		{
			name:  "layer-put-1k-unknown",
			title: "the same of unknown length, in a driver that wants to know it",
			rows: []row{
				{name: ours, setup: bucketPut(asStream, noTelemetry(), driver.WithLayer(likeS3))},
				{name: bareDriver, setup: driverPut},
			},
			goals: []goal{moreThan(ours, bareDriver, 12, 512)},
		},
		{
			name:  "layer-get-1k",
			title: "what the engine adds to a driver's get of 1 KiB, read to its end",
			rows: []row{
				{name: ours, setup: bucketGet(noTelemetry())},
				{name: unconfigured, setup: bucketGet()},
				{name: bareDriver, setup: driverGet},
			},
			goals: []goal{moreThan(ours, bareDriver, 3, 512), moreThan(unconfigured, ours, 3, 512)},
		},
	}
}

// likeS3 returns a driver that, like the one for S3, cannot put a body of unknown length with one
// request. It also has the part sizes of S3.
func likeS3(d driver.Driver) driver.Driver { return s3Like{d} }

type s3Like struct{ driver.Driver }

func (d s3Like) Describe() driver.Description {
	description := d.Driver.Describe()
	description.Features &^= driver.StreamingPut
	description.MinPartSize = 5 << 20
	description.MaxPartSize = 5 << 30
	description.MaxPutSize = 5 << 30
	description.MaxParts = 10_000
	return description
}

// bucketPut returns an op that stores objects of 1 KiB in a bucket in memory. body makes the body of
// each upload from its bytes.
func bucketPut(body func([]byte) io.Reader, opts ...storage.OpenOption) setupFunc {
	return func(e *env) (opFunc, error) {
		bucket := memstore.New(opts...)
		data := make([]byte, kilobyte)
		keys := keyRing(64)
		return func(n int) error {
			for i := range n {
				if _, err := bucket.Upload(e.ctx, keys[i%len(keys)], body(data)); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// driverPut returns an op that stores objects with a driver, without the engine.
func driverPut(e *env) (opFunc, error) {
	driver := memstore.NewDriver(memstore.Config{})
	data := make([]byte, kilobyte)
	keys := keyRing(64)
	return func(n int) error {
		for i := range n {
			// A driver gets the checksum from its caller, so each operation has to compute it.
			sum := storage.CRC32C{Sum: crc32.Checksum(data, castagnoli), Known: true}
			if err := put(e.ctx, driver, keys[i%len(keys)], data, sum); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func put(ctx context.Context, drv driver.Driver, key string, data []byte, sum storage.CRC32C) error {
	_, err := drv.Put(ctx, &driver.PutRequest{
		Key:        key,
		Body:       bytes.NewReader(data),
		Size:       int64(len(data)),
		CRC32C:     sum,
		Properties: storage.Properties{ContentType: contentType},
	})
	return err
}

// bucketGet returns an op that reads an object of 1 KiB from a bucket in memory.
func bucketGet(opts ...storage.OpenOption) setupFunc {
	return func(e *env) (opFunc, error) {
		bucket := memstore.New(opts...)
		if _, err := bucket.Upload(e.ctx, "key", bytes.NewReader(make([]byte, kilobyte))); err != nil {
			return nil, err
		}
		buffer := make([]byte, kilobyte)
		return func(n int) error {
			for range n {
				r, err := bucket.Download(e.ctx, "key")
				if err != nil {
					return err
				}
				if err := drain(r, buffer); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// driverGet returns an op that reads an object of 1 KiB with a driver, without the engine.
func driverGet(e *env) (opFunc, error) {
	drv := memstore.NewDriver(memstore.Config{})
	if err := put(e.ctx, drv, "key", make([]byte, kilobyte), storage.CRC32C{}); err != nil {
		return nil, err
	}
	buffer := make([]byte, kilobyte)
	return func(n int) error {
		for range n {
			_, body, err := drv.Get(e.ctx, &driver.GetRequest{Key: "key", Length: -1})
			if err != nil {
				return err
			}
			if err := drain(body, buffer); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// drain reads r to its end into the given buffer, so that no allocation of a buffer is measured.
func drain(r io.ReadCloser, buffer []byte) error {
	for {
		_, err := r.Read(buffer)
		if err == io.EOF {
			return r.Close()
		}
		if err != nil {
			_ = r.Close()
			return err
		}
	}
}
