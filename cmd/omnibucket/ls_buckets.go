package main

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
)

// A bucketLine is a BucketInfo in JSON, with the fields that a listing has.
type bucketLine struct {
	Name    string    `json:"name"`
	Region  string    `json:"region,omitempty"`
	Created time.Time `json:"created,omitzero"`
}

func (p *program) lsBuckets(ctx context.Context, f *lsFlags, l location) (result error) {
	switch {
	case l.kind != account && l.kind != inBucket, l.key != "":
		return invalid("address must be that of an account, such as s3://?region=… or file:///parent", addressHint)
	case f.recursive || f.versions || f.startAfter != "":
		return invalid("--recursive, --versions and --start-after must not be used for buckets", "")
	case f.limit != nil && f.limitCount < 1:
		return invalid("--limit must be at least 1", "")
	}
	service, err := inRegion(ctx, l, func(l location) (storage.Service, error) { return p.openService(ctx, l.address()) })
	if err != nil {
		return err
	}
	defer func() { result = errors.Join(result, service.Close()) }()
	count := 0
	for info, err := range service.Buckets(ctx) {
		if err != nil {
			return err
		}
		if err := p.printBucket(f, info); err != nil {
			return err
		}
		if count++; count == f.limitCount {
			break
		}
	}
	return nil
}

func (p *program) printBucket(f *lsFlags, info storage.BucketInfo) error {
	switch {
	case f.json:
		return p.json(bucketLine{info.Name, info.Region, info.Created})
	case f.long:
		p.printf("%-20s  %s\n", formatTime(info.Created), p.printable(info.Name))
	default:
		p.printf("%s\n", p.printable(info.Name))
	}
	return p.out.err
}
