package local_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
)

// Objects are plain files that other programs can read. The address of this bucket is
// file:///path/to/files?create=true.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	bucket, err := local.Open(filepath.Join(dir, "files"), local.Config{Create: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer storage.Close(bucket)
	if _, err := bucket.Upload(context.Background(), "notes/1.txt", strings.NewReader("all is well")); err != nil {
		fmt.Println(err)
		return
	}
	text, err := os.ReadFile(filepath.Join(dir, "files", "notes", "1.txt"))
	fmt.Println(string(text), err)
	// Output: all is well <nil>
}
