package readonly_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/readonly"
	"github.com/omnibucket/storage/providers/local"
)

// A program for reports reads what the application writes, and cannot change it, even if its credentials allow writes.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		_ = os.RemoveAll(dir)
	}()
	if err := os.WriteFile(filepath.Join(dir, "sales.csv"), []byte("42"), 0o600); err != nil {
		log.Fatal(err)
	}
	bucket, err := local.Open(dir, local.Config{}, driver.WithLayer(readonly.New(readonly.Config{})))
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		_ = storage.Close(bucket)
	}()
	text, _, err := storage.ReadAll(ctx, bucket, "sales.csv")
	fmt.Printf("%s, %v\n", text, err)
	err = bucket.Remove(ctx, "sales.csv")
	fmt.Println(errors.Is(err, storage.PermissionDenied))
	// Output:
	// 42, <nil>
	// true
}
