// Program corefiles makes one call on a bucket. Its test records which files of the engine run during
// the call, because somebody who reads the code of the call must open these files. The number of
// files should decrease, and an increase needs a reason.
package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"os"
	"runtime/coverage"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

func main() {
	if err := makeCall(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// callsByName has a function for the name of each call. The function makes the call on a bucket
// with the objects a/1, a/2 and a/3.
var callsByName = map[string]func(ctx context.Context, b storage.Bucket) error{
	"Upload": func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, "k", strings.NewReader("text"))
		return err
	},
	"Upload in parts": func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, "k", bytes.NewReader(make([]byte, 64<<10)), storage.WithPartSize(16<<10))
		return err
	},
	"Download": func(ctx context.Context, b storage.Bucket) error {
		r, err := b.Download(ctx, "a/1")
		if err == nil {
			_, err = io.ReadAll(r)
			_ = r.Close() // Close always returns nil
		}
		return err
	},
	"ListPage": func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.ListPage(ctx, b, "", storage.WithPageSize(2))
		return err
	},
	"Tags": func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Tags(ctx, b, "a/1")
		return err
	},
}

// makeCall makes the named call on a bucket with three objects. It clears the coverage counters
// before, so that only the call is measured.
func makeCall(name string) error {
	ctx := context.Background()
	b := memstore.New()
	tags := storage.WithTags(map[string]string{"k": "v"})
	for _, key := range []string{"a/1", "a/2", "a/3"} {
		if _, err := b.Upload(ctx, key, strings.NewReader(key), tags); err != nil {
			return err
		}
	}

	if err := coverage.ClearCounters(); err != nil {
		return err
	}
	return callsByName[name](ctx, b)
}
