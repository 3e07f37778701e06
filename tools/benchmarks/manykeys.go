package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// listedKeys is the number of keys and files in the largest listings.
var listedKeys = 100_000

// growthJobs returns cases that run a job over more and more keys. The jobs compare the keys in
// listings, and make no request for a single key.
func growthJobs() []clientCase {
	jobs := []struct {
		name, title string
		do          work
	}{
		{"growth-du", "add up the sizes of all objects", sumSizes},
		{"growth-expire", "expire, with nothing that is old enough", expireNothing},
		{"growth-sync", "sync of two prefixes that are equal", syncNothing},
	}

	var all []clientCase
	for _, job := range jobs {
		for _, n := range []int{listedKeys / 100, listedKeys / 10, listedKeys} {
			g := growth{job.name, job.title + ", over plain http on one machine", n, keyCount}
			all = append(all, clientCase{
				provider:   amazon,
				name:       g.caseName(),
				title:      g.caseTitle(),
				grows:      &g,
				server:     nearPlain,
				do:         job.do,
				amount:     n,
				contenders: []contender{s3Ours.onlyOnce()},
				goals:      []goal{memoryAtMost(ours, 128*mebibyte)},
			})
		}
	}
	return all
}

func sumSizes(ctx context.Context, c client, n int) error {
	var objects, bytes int64
	for entry, err := range c.bucket.List(ctx, storage.WithPrefix(fmt.Sprintf("%d/", n))) {
		if err != nil {
			return err
		}
		objects++
		bytes += entry.Size
	}
	return expectKeys(objects, n)
}

// expireNothing runs an expiration over n objects, all of which are too young to expire.
func expireNothing(ctx context.Context, c client, n int) error {
	const century = 100 * 365 * 24 * time.Hour
	objects := storage.Prefixed(c.bucket, fmt.Sprintf("%d/", n))
	report, err := transfer.Expire(ctx, objects, []transfer.ExpireRule{{Age: century}})
	if err != nil {
		return err
	}
	if report.Deleted != 0 {
		return errors.New("objects have expired")
	}
	return nil
}

// syncNothing syncs objects to copies that are one day younger, so that nothing needs to be copied.
func syncNothing(ctx context.Context, c client, n int) error {
	src := storage.Prefixed(c.bucket, fmt.Sprintf("%d/a/", n))
	dst := storage.Prefixed(c.bucket, fmt.Sprintf("%d/copies/", n))
	report, err := transfer.Sync(ctx, transfer.Bucket(dst), transfer.Bucket(src))
	if err != nil {
		return err
	}
	return expectKeys(report.Skipped, n)
}

func expectKeys(count int64, n int) error {
	if count != int64(n) {
		return fmt.Errorf("%d keys of %d", count, n)
	}
	return nil
}

// growthCases returns cases that list more and more keys. Their plots show time and memory for each
// number of keys.
func growthCases(keys int) []benchCase {
	sizes := []int{keys / 100, keys / 10, keys}
	var all []benchCase
	for _, n := range sizes {
		g := growth{"growth-list-memory", "list all keys of a bucket in memory, in pages of 1,000", n, keyCount}
		all = append(
			all,
			benchCase{
				name:  g.caseName(),
				title: g.caseTitle(),
				grows: &g,
				rows:  onceRow(rowsInMemory(listOp(n, "")), goCloudMem),
			},
		)
	}
	for _, n := range sizes {
		g := growth{
			"growth-list-directory", "list all files of a directory with their sizes, in pages of 1,000", n, keyCount,
		}
		all = append(all, benchCase{name: g.caseName(), title: g.caseTitle(), grows: &g, rows: listRows(n)})
	}
	return all
}
