package certmagic_test

import (
	"context"
	"fmt"

	caddy "github.com/caddyserver/certmagic"

	"github.com/omnibucket/storage/adapters/certmagic"
	"github.com/omnibucket/storage/memstore"
)

func ExampleNew() {
	ctx := context.Background()
	bucket := memstore.New() // production: storage.Open(ctx, "s3://…")
	s, err := certmagic.New(bucket)
	if err != nil {
		panic(err)
	}
	caddy.Default.Storage = s // before caddy.HTTPS, or in each caddy.Config

	if err := s.Store(ctx, "acme/users/a.json", []byte("{}")); err != nil {
		panic(err)
	}
	fmt.Println(s.List(ctx, "acme", true))
	// Output:
	// [acme/users acme/users/a.json] <nil>
}
