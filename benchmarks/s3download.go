package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	transfertypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/benchmarks/nullserver"
)

const (
	ours6          = ours + ", 6 at once"
	ours14         = ours + ", 14 at once"
	rawStream      = rawSDK + ", one stream"
	rawUnchecked   = rawSDK + ", no check"
	transferRanges = transferManager + ", ranges"
)

// An opener begins a download, as a reader from its first byte to its last.
type opener func(ctx context.Context, key string) (io.ReadCloser, error)

// received are downloads that are read in order and thrown away.
func received(open func(ctx context.Context, server string) (opener, error)) func(context.Context, string) (mover, error) {
	return func(ctx context.Context, server string) (mover, error) {
		begin, err := open(ctx, server)
		return func(ctx context.Context, bytes int64) error {
			r, err := begin(ctx, sized(bytes, 0))
			got, err := copied(struct{ io.Writer }{io.Discard}, r, err)
			return errors.Join(err, wrong(int(got), int(bytes)))
		}, err
	}
}

func receiveOurs(opts ...storage.DownloadOption) func(context.Context, string) (opener, error) {
	return func(ctx context.Context, server string) (opener, error) {
		b, err := ownS3(ctx, server)
		return func(ctx context.Context, key string) (io.ReadCloser, error) { return b.Download(ctx, key, opts...) }, err
	}
}

func receiveRaw(make func(server string) *awss3.Client) func(context.Context, string) (opener, error) {
	return func(_ context.Context, server string) (opener, error) {
		client := make(server)
		return func(ctx context.Context, key string) (io.ReadCloser, error) {
			out, err := client.GetObject(ctx, &awss3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: &key})
			if err != nil {
				return nil, err
			}
			return out.Body, nil
		}, nil
	}
}

func receiveTransferManager(kind transfertypes.GetObjectType) func(context.Context, string) (opener, error) {
	return func(_ context.Context, server string) (opener, error) {
		client := transfermanager.New(sdk(server), func(o *transfermanager.Options) { o.GetObjectType = kind })
		return func(ctx context.Context, key string) (io.ReadCloser, error) {
			out, err := client.GetObject(ctx, &transfermanager.GetObjectInput{Bucket: aws.String(s3Bucket), Key: &key})
			if err != nil {
				return nil, err
			}
			return io.NopCloser(out.Body), nil
		}, nil
	}
}

func receiveMinio(_ context.Context, server string) (opener, error) {
	client, err := minioClient(server)
	return func(ctx context.Context, key string) (io.ReadCloser, error) {
		return client.GetObject(ctx, s3Bucket, key, minio.GetObjectOptions{})
	}, err
}

func receiveGoCloud(ctx context.Context, server string) (opener, error) {
	s, err := goCloudBucket(ctx, server)
	return func(ctx context.Context, key string) (io.ReadCloser, error) { return s.bucket.NewReader(ctx, key, nil) }, err
}

// toFile are downloads to a file of their own.
func toFile(open func(ctx context.Context, server string) (func(ctx context.Context, key, name string) error, error)) func(context.Context, string) (mover, error) {
	return func(ctx context.Context, server string) (mover, error) {
		download, err := open(ctx, server)
		return func(ctx context.Context, bytes int64) error {
			dir, err := os.MkdirTemp("", "omnibucket-benchmarks-")
			if err != nil {
				return err
			}
			defer func() { _ = os.RemoveAll(dir) }()
			name := filepath.Join(dir, "file")
			if err := download(ctx, sized(bytes, 0), name); err != nil {
				return err
			}
			info, err := os.Stat(name)
			if err != nil {
				return err
			}
			return wrong(int(info.Size()), int(bytes))
		}, err
	}
}

// inFile is a download that writes where it wants in an open file.
func inFile(name string, download func(w io.WriterAt) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(download(file), file.Close())
}

func fileOurs(ctx context.Context, server string) (func(ctx context.Context, key, name string) error, error) {
	b, err := ownS3(ctx, server)
	return func(ctx context.Context, key, name string) error {
		_, err := storage.DownloadFile(ctx, b, key, name, storage.WithConcurrency(manyThreads))
		return err
	}, err
}

func fileTransferManager(_ context.Context, server string) (func(ctx context.Context, key, name string) error, error) {
	client := transfermanager.New(sdk(server), func(o *transfermanager.Options) { o.GetObjectType = transfertypes.GetObjectRanges })
	return func(ctx context.Context, key, name string) error {
		return inFile(name, func(w io.WriterAt) error {
			_, err := client.DownloadObject(ctx, &transfermanager.DownloadObjectInput{Bucket: aws.String(s3Bucket), Key: &key, WriterAt: w})
			return err
		})
	}, nil
}

func fileMinio(_ context.Context, server string) (func(ctx context.Context, key, name string) error, error) {
	client, err := minioClient(server)
	return func(ctx context.Context, key, name string) error {
		return client.FGetObject(ctx, s3Bucket, key, name, minio.GetObjectOptions{})
	}, err
}

func downloadCases() []transferCase {
	cases := []transferCase{
		{
			name: "s3-download-in-order", title: "read 256 MiB from an io.Reader, in order; " + farTitle,
			server: far, bytes: large,
			rows: []transferRow{
				{name: ours6, open: received(receiveOurs(storage.WithConcurrency(6)))},
				{name: ours14, open: received(receiveOurs(storage.WithConcurrency(14)))},
				{name: rawStream, open: received(receiveRaw(sdk))},
				{name: transferRanges, open: received(receiveTransferManager(transfertypes.GetObjectRanges))},
				{name: transferManager, once: true, open: received(receiveTransferManager(transfertypes.GetObjectParts))},
				{name: minioGo, once: true, open: received(receiveMinio)},
				{name: goCloudS3, once: true, open: received(receiveGoCloud)},
			},
			goals: []goal{
				faster(ours6, rawStream, 4), memoryAtMost(ours6, 36*mebibyte), noRequest(ours6, "HeadObject"),
				faster(ours14, rawStream, 7), memoryAtMost(ours14, 70*mebibyte), noRequest(ours14, "HeadObject"),
			},
		},
		{
			name: "s3-download-file", title: "download 256 MiB to a file; " + farTitle,
			server: far, bytes: large,
			rows: []transferRow{
				{name: ours, open: toFile(fileOurs)},
				{name: sdkManager, open: toFile(fileManager)},
				{name: transferRanges, open: toFile(fileTransferManager)},
				{name: minioGo, once: true, open: toFile(fileMinio)},
			},
			goals: []goal{faster(ours, sdkManager, 2.5), memoryAtMost(ours, 10*mebibyte)},
		},
	}
	near := func(name, title string, server nullserver.Options, goals ...goal) transferCase {
		return transferCase{
			name: name, title: title, server: server, bytes: 4 * large,
			rows: []transferRow{
				{name: ours, open: received(receiveOurs())},
				{name: rawUnchecked, open: received(receiveRaw(sdkUnchecked))},
				{name: rawSDK, open: received(receiveRaw(sdk))},
				{name: minioGo, open: received(receiveMinio)},
			},
			goals: goals,
		}
	}
	return append(cases,
		near("s3-download-near", "read 1 GiB with its CRC32C verified over TLS, nothing in the way", nearTLS,
			lessCPU(ours, rawUnchecked, 1.1), requestsAtMost(ours, 2), memoryAtMost(ours, 2*mebibyte)),
		near("s3-download-near-plain", "the same over plain http", nearPlain,
			lessCPU(ours, rawUnchecked, 1.3), requestsAtMost(ours, 2), memoryAtMost(ours, 2*mebibyte)),
	)
}

func transferCases() []transferCase { return append(uploadCases(), downloadCases()...) }
