package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/benchmarks/nullserver"
)

// A lister lists all below a prefix, and calls each with every key.
type lister func(ctx context.Context, prefix string, each func()) error

// listingS3 are the contenders.
var listingS3 = []struct {
	name string
	open func(ctx context.Context, server string) (lister, error)
}{
	{ours, listOurs},
	{rawSDK, listRaw},
	{minioGo, listMinio},
	{goCloudS3, func(ctx context.Context, server string) (lister, error) {
		s, err := goCloudBucket(ctx, server)
		return s.listEach, err
	}},
	{objstoreS3, func(_ context.Context, server string) (lister, error) {
		s, err := objstoreBucket(server)
		return s.listEach, err
	}},
}

func listOurs(ctx context.Context, server string) (lister, error) {
	b, err := ownS3(ctx, server)
	return func(ctx context.Context, prefix string, each func()) error {
		for _, err := range b.List(ctx, storage.WithPrefix(prefix)) {
			if err != nil {
				return err
			}
			each()
		}
		return nil
	}, err
}

func listRaw(_ context.Context, server string) (lister, error) {
	client := sdk(server)
	return func(ctx context.Context, prefix string, each func()) error {
		pages := awss3.NewListObjectsV2Paginator(client, &awss3.ListObjectsV2Input{Bucket: aws.String(s3Bucket), Prefix: &prefix})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for range page.Contents {
				each()
			}
		}
		return nil
	}, nil
}

func listMinio(_ context.Context, server string) (lister, error) {
	client, err := minioClient(server)
	return func(ctx context.Context, prefix string, each func()) error {
		for object := range client.ListObjects(ctx, s3Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
			if object.Err != nil {
				return object.Err
			}
			each()
		}
		return nil
	}, err
}

func (s goCloud) listEach(ctx context.Context, prefix string, each func()) error {
	n, err := s.list(ctx, prefix, 1000)
	for range n {
		each()
	}
	return err
}

func (s thanos) listEach(ctx context.Context, prefix string, each func()) error {
	n, err := s.list(ctx, prefix, 1000)
	for range n {
		each()
	}
	return err
}

// listed is an operation of n keys, of which each thousandth takes the caller
// so long.
func listed(server nullserver.Options, open func(context.Context, string) (lister, error), busy time.Duration) func(*env) (func(int) error, error) {
	return func(e *env) (func(int) error, error) {
		url, err := e.server(server)
		if err != nil {
			return nil, err
		}
		list, err := open(e.ctx, url)
		return func(n int) error {
			got := 0
			err := list(e.ctx, fmt.Sprintf("%d/", n), func() {
				if got++; got%1000 == 0 {
					time.Sleep(busy)
				}
			})
			return errors.Join(err, wrong(got, n))
		}, err
	}
}

func listCases() []benchCase {
	const busy = 20 * time.Millisecond
	all := benchCase{
		name: "s3-list", title: "list keys with their sizes, in pages of 1,000, over plain http; figures are of one key",
		goals: []goal{allocations(6), bytesAtMost(250), lessCPU(ours, rawSDK, 0.25)},
	}
	ahead := benchCase{
		name: "s3-list-ahead", title: fmt.Sprintf("the same, 20 ms a request, and %v of the caller's own for each thousand keys", busy),
		goals: []goal{within(rawSDK, 0.6)},
	}
	for _, s := range listingS3 {
		all.rows = append(all.rows, row{name: s.name, setup: listed(nearPlain, s.open, 0)})
		if s.name == ours || s.name == rawSDK || s.name == minioGo {
			ahead.rows = append(ahead.rows, row{name: s.name, setup: listed(nullserver.Options{Latency: far.Latency}, s.open, busy)})
		}
	}
	return []benchCase{all, ahead}
}
