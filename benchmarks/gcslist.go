package main

import (
	"context"
	"errors"
	"fmt"

	gcssdk "cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/omnibucket/storage"
)

const rawGCSFields = rawGCS + ", only the fields of ours"

var listingGCS = []struct {
	name string
	open func(ctx context.Context, server string) (lister, error)
}{
	{ours, func(ctx context.Context, server string) (lister, error) {
		b, err := ownGCS(ctx, server)
		return listBucket(b), err
	}},
	{rawGCS, listRawGCS()},
	{rawGCSFields, listRawGCS("Name", "Size", "Etag", "MD5", "Generation", "Created")},
	{goCloudGCS, func(ctx context.Context, server string) (lister, error) {
		s, err := goCloudGCSBucket(ctx, server)
		return s.listEach, err
	}},
}

// listRawGCS asks for the fields, as the SDK calls them; for all, if there are
// none.
func listRawGCS(fields ...string) func(context.Context, string) (lister, error) {
	return func(ctx context.Context, server string) (lister, error) {
		bucket, err := gcsHandle(ctx, server)
		return func(ctx context.Context, prefix string, each func()) error {
			query := &gcssdk.Query{Prefix: prefix}
			if len(fields) > 0 {
				if err := query.SetAttrSelection(fields); err != nil {
					return err
				}
			}
			for objects := bucket.Objects(ctx, query); ; {
				_, err := objects.Next()
				if errors.Is(err, iterator.Done) {
					return nil
				}
				if err != nil {
					return err
				}
				each()
			}
		}, err
	}
}

func listBucket(b storage.Bucket) lister {
	return func(ctx context.Context, prefix string, each func()) error {
		for _, err := range b.List(ctx, storage.WithPrefix(prefix)) {
			if err != nil {
				return err
			}
			each()
		}
		return nil
	}
}

// listedAt is an operation of n keys.
func listedAt(server func(*env) (string, error), open func(context.Context, string) (lister, error)) func(*env) (func(int) error, error) {
	return func(e *env) (func(int) error, error) {
		url, err := server(e)
		if err != nil {
			return nil, err
		}
		list, err := open(e.ctx, url)
		return func(n int) error {
			got := 0
			err := list(e.ctx, fmt.Sprintf("%d/", n), func() { got++ })
			return errors.Join(err, wrong(got, n))
		}, err
	}
}

func gcsListCase() benchCase {
	c := benchCase{
		name: "gcs-list", title: "list keys with their sizes, in pages of 1,000, over plain http; figures are of one key",
		goals: []goal{allocationsOver(ours, rawGCSFields, 3), lessCPU(ours, rawGCSFields, 1.25)},
	}
	for _, s := range listingGCS {
		c.rows = append(c.rows, row{name: s.name, setup: listedAt(googleStorage.at(nearPlain), s.open)})
	}
	return c
}
