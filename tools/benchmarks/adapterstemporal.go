package main

import (
	"context"
	"encoding/binary"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/contrib/aws/s3driver"
	"go.temporal.io/sdk/contrib/aws/s3driver/awssdkv2"
	"go.temporal.io/sdk/converter"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/temporal"
)

const (
	viaTemporal = "adapters/temporal"
	temporalS3  = "temporal s3driver"
)

// A temporalStore stores the payloads of Temporal workflows with a driver.
type temporalStore struct {
	driver converter.StorageDriver
	bucket storage.Bucket // closed after the case, unless it is nil
}

var temporalAdapters = []adapter[temporalStore]{
	{viaTemporal, func(_ context.Context, b storage.Bucket) (temporalStore, error) {
		d, err := temporal.New(b, temporal.Config{})
		return temporalStore{d, b}, err
	}},
}

// temporalCases returns the cases that compare adapters/temporal with the S3 driver of Temporal's
// SDK. Before each write, that driver checks whether the object exists.
func temporalCases() []benchCase {
	both := []goal{notSlower(viaTemporal, temporalS3), noMoreRequests(viaTemporal, temporalS3)}
	requests := both[1:] // a payload that exists has no goal for the time
	var cases []benchCase
	for _, c := range []adapterCase[temporalStore]{
		{"store-256k", "store a new payload of 256 KiB", temporalStored(256*kilobyte, true), both},
		{"store-again-256k", "store a payload of 256 KiB again, as a task that is tried again does", temporalStored(256*kilobyte, false), requests},
		{"store-8m", "store a new payload of 8 MiB", temporalStored(8*mebibyte, true), both},
		{"store-again-8m", "store a payload of 8 MiB again", temporalStored(8*mebibyte, false), requests},
		{"retrieve-256k", "retrieve a payload of 256 KiB", temporalRetrieved(256 * kilobyte), both},
		{"retrieve-8m", "retrieve a payload of 8 MiB", temporalRetrieved(8 * mebibyte), both},
	} {
		c.name = "temporal-" + c.name
		cases = append(cases, casesOf(c, temporalAdapters, minioRow(temporalS3, minioTemporal))...)
	}
	return cases
}

func minioTemporal(_ context.Context, bucket string, server jobServer) (temporalStore, error) {
	d, err := s3driver.NewDriver(s3driver.Options{
		Client: awssdkv2.NewClient(server.client()),
		Bucket: s3driver.StaticBucket(bucket),
	})
	return temporalStore{driver: d}, err
}

// temporalStored returns an op that stores one payload in each operation. If isNew is true, each
// payload differs from the previous ones in its first bytes. If it is false, each operation stores
// the same payload again.
func temporalStored(size int, isNew bool) setupWith[temporalStore] {
	return func(e *env, s temporalStore) (opFunc, error) {
		p := newPayload(size)

		// The first operation, too, must find a payload that exists already if isNew is false.
		if _, err := s.store(e.ctx, p); err != nil {
			return nil, err
		}

		number := uint64(0)
		return repeated(func() error {
			if isNew {
				number++
				binary.LittleEndian.PutUint64(p.Data, number)
			}
			_, err := s.store(e.ctx, p)
			return err
		}), nil
	}
}

func temporalRetrieved(size int) setupWith[temporalStore] {
	return func(e *env, s temporalStore) (opFunc, error) {
		claims, err := s.store(e.ctx, newPayload(size))
		return repeated(func() error {
			got, err := s.driver.Retrieve(converter.StorageDriverRetrieveContext{Context: e.ctx}, claims)
			if err == nil {
				err = checkCount(len(got[0].GetData()), size)
			}
			return err
		}), err
	}
}

func newPayload(size int) *common.Payload {
	return &common.Payload{Metadata: map[string][]byte{"encoding": []byte("binary/plain")}, Data: make([]byte, size)}
}

func (s temporalStore) store(ctx context.Context, p *common.Payload) ([]converter.StorageDriverClaim, error) {
	return s.driver.Store(converter.StorageDriverStoreContext{Context: ctx}, []*common.Payload{p})
}

func (s temporalStore) close() error {
	if s.bucket == nil {
		return nil
	}
	return storage.Close(s.bucket)
}
