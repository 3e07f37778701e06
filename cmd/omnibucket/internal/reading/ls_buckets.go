package reading

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// A BucketLine is a BucketInfo in JSON, with the fields that a listing of buckets returns.
type BucketLine struct {
	Name    string    `json:"name"`
	Region  string    `json:"region,omitempty"`
	Created time.Time `json:"created,omitzero"`
}

// lsBuckets lists the buckets of an account.
func lsBuckets(ctx context.Context, p *program.Program, f *lsFlags, l location.Location) error {
	// An address such as file:///parent looks like that of a bucket, but its subdirectories are buckets.
	mayHaveBuckets := l.Kind == location.Account || l.Kind == location.InBucket
	if !mayHaveBuckets || l.Key != "" {
		return argument.Invalid(
			"location must be that of an account, such as s3://?region=… or file:///parent",
			location.AddressHint,
		)
	}
	if f.recursive || f.versions || f.startAfter != "" {
		return argument.Invalid("--recursive, --versions and --start-after must not be used for buckets", "")
	}
	if f.limit != nil && f.limitCount < 1 {
		return argument.Invalid("--limit must be at least 1", "")
	}

	service, err := program.InRegion(ctx, l, func(l location.Location) (storage.Service, error) {
		return p.Stores.OpenService(ctx, l.Address())
	})
	if err != nil {
		return err
	}
	return errors.Join(printBuckets(ctx, p, f, service), service.Close())
}

// printBuckets prints the buckets of an account, up to the limit of the flags.
func printBuckets(ctx context.Context, p *program.Program, f *lsFlags, service storage.Service) error {
	count := 0
	for info, err := range service.Buckets(ctx) {
		if err != nil {
			return err
		}
		if err := printBucket(p, f, info); err != nil {
			return err
		}
		count++
		if f.limit != nil && count == f.limitCount {
			break
		}
	}
	return nil
}

// printBucket prints one bucket of a listing.
func printBucket(p *program.Program, f *lsFlags, info storage.BucketInfo) error {
	switch {
	case f.json:
		return p.Out.JSON(BucketLine{Name: info.Name, Region: info.Region, Created: info.Created})
	case f.long:
		p.Out.Printf("%-20s  %s\n", console.FormatTime(info.Created), p.Out.Printable(info.Name))
	default:
		p.Out.Printf("%s\n", p.Out.Printable(info.Name))
	}
	return p.Out.Err
}
