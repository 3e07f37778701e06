// Table keeps the balances of accounts in a bucket. Several processes can change them at the same
// time without a database, because package commit puts all changes into one order.
//
//	go run ./examples/table                                            in memory
//	go run ./examples/table -bucket 'file:///tmp/table?create=true'    again and again, or several at once
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/local" // file:///
)

func main() {
	address := flag.String("bucket", "mem://table", "`address` of the bucket")
	flag.Parse()
	if err := run(context.Background(), *address, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

// run starts four writers that move money at the same time. Each writer has its own table.
func run(ctx context.Context, address string, w io.Writer) (result error) {
	bucket, err := storage.Open(ctx, address)
	if err != nil {
		return err
	}
	defer func() {
		result = errors.Join(result, storage.Close(bucket))
	}()

	t, err := openTable(ctx, bucket)
	if err != nil {
		return err
	}
	if err := t.transfer(ctx, "bank", "alice", 100); err != nil {
		return err
	}

	errs := make([]error, 4)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			errs[i] = pay(ctx, bucket)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}

	if err := t.snapshot(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "version %d: alice has %d, bob has %d\n", t.version, t.balances["alice"], t.balances["bob"])
	return err
}

// pay moves money from alice to bob ten times.
func pay(ctx context.Context, bucket storage.Bucket) error {
	t, err := openTable(ctx, bucket)
	for n := 0; err == nil && n < 10; n++ {
		err = t.transfer(ctx, "alice", "bob", 2)
	}
	return err
}
