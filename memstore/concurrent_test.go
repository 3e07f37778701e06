package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// callConcurrently makes a call for five keys, 200 times in each of its goroutines, and reports the errors.
func callConcurrently(t *testing.T, calls ...func(key string) error) {
	t.Helper()
	var group sync.WaitGroup
	for _, call := range calls {
		group.Go(func() {
			for i := range 200 {
				if err := call(fmt.Sprint("k", i%5)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// unlessMissing returns nil for ObjectNotFound, and any other error as it is.
func unlessMissing(err error) error {
	if errors.Is(err, storage.ObjectNotFound) {
		return nil
	}
	return err
}

// readObject opens an object for reading and closes it. It returns nil if the object is missing.
func readObject(d driver.Driver, key string) error {
	_, body, err := d.Get(context.Background(), &driver.GetRequest{Key: key, Length: -1})
	if err != nil {
		return unlessMissing(err)
	}
	return body.Close()
}

// uploadInPart makes an object of one part.
func uploadInPart(d driver.Driver, key string) error {
	ctx := context.Background()
	upload, err := d.BeginParts(ctx, putRequest(key, ""))
	if err != nil {
		return err
	}
	part, err := d.PutPart(ctx, &driver.PartRequest{
		Key:    key,
		Upload: upload,
		Number: 1,
		Body:   strings.NewReader("x"),
		Size:   1,
	})
	if err != nil {
		return err
	}
	_, err = d.CompleteParts(ctx,
		&driver.CompleteRequest{Put: putRequest(key, ""), Upload: upload, Parts: []driver.Part{part}})
	return err
}

// Calls of all kinds may run at the same time for the same keys, and none of them fails.
func TestConcurrentCalls(t *testing.T) {
	d := newVersionedDriver()
	ctx := context.Background()
	putObject := func(key string) error {
		_, err := d.Put(ctx, putRequest(key, "content"))
		return err
	}
	removeObject := func(key string) error {
		return d.Delete(ctx, &driver.DeleteRequest{Key: key})
	}
	removeVersion := func(key string) error {
		const version = "memory:7" // of any key, or missing
		return d.Delete(ctx, &driver.DeleteRequest{Key: key, Version: version})
	}
	listObjects := func(string) error {
		_, err := d.List(ctx, &driver.ListRequest{Limit: 3})
		return err
	}
	listVersions := func(string) error {
		_, err := d.ListVersions(ctx, &driver.ListRequest{Limit: 3})
		return err
	}
	copyObject := func(key string) error {
		_, err := d.Copy(ctx, &driver.CopyRequest{Source: d.Locate(key), Key: key + "/copy"})
		return unlessMissing(err)
	}
	getObject := func(key string) error { return readObject(d, key) }
	putInPart := func(key string) error { return uploadInPart(d, key) }

	// Each function runs in a goroutine of its own, again and again, for the same five keys. The test fails if a
	// function returns an error.
	callConcurrently(t,
		putObject, removeObject, removeVersion, listObjects, listVersions, copyObject, getObject, putInPart)
}

// CompleteParts fails with ObjectNotFound and stores no object if the upload is aborted meanwhile.
func TestAbortPartsDuringCompletion(t *testing.T) {
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	upload := beginUpload(t, d, "k")
	part := putPart(t, d, "k", upload, 1, "x")

	// CompleteParts reads the clock after it has joined the parts and before it stores the object.
	clock.at = func() {
		require.NoError(t, d.AbortParts(t.Context(), "k", upload))
	}

	_, err := d.CompleteParts(t.Context(),
		&driver.CompleteRequest{Put: putRequest("k", ""), Upload: upload, Parts: []driver.Part{part}})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Empty(t, listKeys(t, d))
}
