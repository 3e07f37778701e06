package commit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
	"github.com/omnibucket/storage/memstore"
)

// Two processes add files to a table. The second one sees what the first has added.
func ExampleLog_Append() {
	ctx := context.Background()
	bucket := memstore.New() // any bucket that storage.Open opens, the same for all processes
	add := func(file string) error {
		log, err := commit.New(bucket, "table/log/")
		if err != nil {
			return err
		}
		_, err = log.Append(ctx, func(last int64) ([]byte, error) {
			for entry, err := range log.From(ctx, 1) {
				if err != nil {
					return nil, err
				}
				if string(entry.Data) == file {
					return nil, errors.New(file + " is in the table")
				}
			}
			return []byte(file), nil // follows last, or is not stored
		})
		return err
	}
	fmt.Println(add("a.parquet"))
	fmt.Println(add("b.parquet"))
	fmt.Println(add("a.parquet"))
	// Output:
	// <nil>
	// <nil>
	// a.parquet is in the table
}

// Follow delivers to a reader the entries that others append.
func ExampleLog_Follow() {
	log, err := commit.New(memstore.New(), "log/")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, text := range strings.Fields("one two end") {
		if _, err := log.Append(ctx, func(int64) ([]byte, error) { return []byte(text), nil }); err != nil {
			fmt.Println(err)
		}
	}
	for entry, err := range log.Follow(ctx, 1, time.Second) {
		if err != nil || string(entry.Data) == "end" {
			break
		}
		fmt.Println(entry.Number, string(entry.Data))
	}
	// Output:
	// 1 one
	// 2 two
}

// A pointer to the current state is one object: storage.Update replaces it if nobody was faster.
func Example_pointer() {
	ctx := context.Background()
	bucket := memstore.New()
	publish := func(metadata string) error {
		_, err := storage.Update(ctx, bucket, "table/current", func(old []byte, _ *storage.Attrs) ([]byte, error) {
			fmt.Printf("from %q to %q\n", old, metadata)
			return []byte(metadata), nil
		})
		return err
	}
	fmt.Println(publish("metadata-1.json"))
	fmt.Println(publish("metadata-2.json"))
	// Output:
	// from "" to "metadata-1.json"
	// <nil>
	// from "metadata-1.json" to "metadata-2.json"
	// <nil>
}
