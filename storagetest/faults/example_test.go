package faults_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// The store takes the first upload, but its response is lost. The retry finds the object that the
// upload has made, so IfAbsent succeeds.
func Example() {
	injector := faults.New(faults.DropResponse(faults.Put).Nth(1))
	bucket := memstore.New(driver.WithLayer(injector.Layer()))
	attrs, err := bucket.Upload(context.Background(), "order-17", strings.NewReader("two cats"), storage.IfAbsent())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(attrs.Size, "bytes")
	for _, event := range injector.Events() {
		fmt.Println(event.Call, event.Fault != "")
	}
	// Output:
	// 8 bytes
	// Put true
	// Put false
	// Head false
}

// A program must survive a store that is out of reach. In its test, each download fails.
func ExampleFail() {
	injector := faults.New(faults.Fail(faults.Get))
	bucket := memstore.New(driver.WithLayer(injector.Layer()), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	_, _, err := storage.ReadAll(context.Background(), bucket, "settings.json")
	fmt.Println(storage.CodeOf(err))
	// Output: unavailable
}
