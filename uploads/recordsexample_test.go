package uploads_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

func ExampleBucketRecords() {
	ctx := context.Background()
	bucket := memstore.New()
	records := uploads.BucketRecords(bucket) // or those of package sqlrecords
	service, err := uploads.New(bucket, uploads.Config{Rules: rules.Any(1 << 20), Records: records})
	if err != nil {
		panic(err)
	}
	for _, purpose := range []string{"reports", "pictures"} {
		_, err := service.Store(ctx, uploads.Upload{
			Body:     strings.NewReader("all is well"),
			Name:     purpose + ".txt",
			User:     uploads.User{ID: "42"},
			Metadata: map[string]string{"purpose": purpose},
		})
		if err != nil {
			panic(err)
		}
	}

	// Each page returns the position of the next one. A page may be empty although another page follows.
	for startAfter := ""; ; {
		files, next, err := records.List(ctx, uploads.Filter{Purpose: "reports"}, startAfter, 50)
		if err != nil {
			panic(err)
		}
		for _, f := range files {
			r, _, err := service.Download(ctx, f.ID, storage.WithRange(7, -1))
			if err != nil {
				panic(err)
			}
			text, err := io.ReadAll(r)
			fmt.Println(f.Name, string(text), err, r.Close())
		}
		startAfter = next
		if startAfter == "" {
			break
		}
	}
	// Output: reports.txt well <nil> <nil>
}
