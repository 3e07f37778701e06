package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/benchmarks/nullazure"
)

const (
	uploadStream        = "azblob UploadStream"
	uploadStreamBest    = uploadStream + ", 16 blocks of 4 MiB"
	uploadStreamChecked = uploadStreamBest + " with CRC64"
	downloadStream      = "azblob DownloadStream"
	downloadBuffer      = "azblob DownloadBuffer"
	downloadBufferMax   = downloadBuffer + ", 14 at once"
)

func sendOursAzure(ctx context.Context, server string) (sender, error) {
	b, err := ownAzure(ctx, server)
	return func(ctx context.Context, body io.Reader, _ int64) error {
		_, err := b.Upload(ctx, uploaded, body, storage.WithContentType(contentType))
		return err
	}, err
}

func sendUploadStream(o *azblob.UploadStreamOptions) func(context.Context, string) (sender, error) {
	return func(_ context.Context, server string) (sender, error) {
		client, err := azureClient(server)
		return func(ctx context.Context, body io.Reader, _ int64) error {
			_, err := client.UploadStream(ctx, azureContainer, uploaded, body, o)
			return err
		}, err
	}
}

func sendGoCloudAzure(ctx context.Context, server string) (sender, error) {
	s, err := goCloudAzureBucket(ctx, server)
	return func(ctx context.Context, body io.Reader, _ int64) error { return s.upload(ctx, uploaded, body) }, err
}

func receiveOursAzure(opts ...storage.DownloadOption) func(context.Context, string) (opener, error) {
	return func(ctx context.Context, server string) (opener, error) {
		b, err := ownAzure(ctx, server)
		return func(ctx context.Context, key string) (io.ReadCloser, error) { return b.Download(ctx, key, opts...) }, err
	}
}

func receiveDownloadStream(_ context.Context, server string) (opener, error) {
	client, err := azureClient(server)
	return func(ctx context.Context, key string) (io.ReadCloser, error) {
		out, err := client.DownloadStream(ctx, azureContainer, key, nil)
		return out.Body, err
	}, err
}

// intoBuffer holds all of the object, which the others never do.
func intoBuffer(o *azblob.DownloadBufferOptions) func(context.Context, string) (mover, error) {
	return func(_ context.Context, server string) (mover, error) {
		client, err := azureClient(server)
		return func(ctx context.Context, bytes int64) error {
			got, err := client.DownloadBuffer(ctx, azureContainer, sized(bytes, 0), make([]byte, bytes), o)
			return errors.Join(err, wrong(int(got), int(bytes)))
		}, err
	}
}

func receiveGoCloudAzure(ctx context.Context, server string) (opener, error) {
	s, err := goCloudAzureBucket(ctx, server)
	return func(ctx context.Context, key string) (io.ReadCloser, error) { return s.bucket.NewReader(ctx, key, nil) }, err
}

func azureTransferCases() []transferCase {
	// The SDK's stream has a buffer for each block that is under way: this is the
	// best that it can do with as much memory as ours has.
	best := azblob.UploadStreamOptions{BlockSize: 4 * mebibyte, Concurrency: 16}
	checked := best
	checked.TransactionalValidation = blob.TransferValidationTypeComputeCRC64()
	return []transferCase{
		{
			name: "azure-upload-64", title: "upload 64 MiB of unknown length; " + farTitle,
			at: azureStorage.at(far), bytes: 64 * mebibyte,
			rows: []transferRow{
				{name: ours, open: sent(flowing, sendOursAzure)},
				{name: uploadStream, open: sent(flowing, sendUploadStream(nil))},
				{name: goCloudAzure, open: sent(flowing, sendGoCloudAzure)},
			},
			goals: []goal{requestsAtMost(ours, 9), faster(ours, uploadStream, 1)},
		},
		{
			name: "azure-upload-stream", title: "upload 256 MiB of unknown length; " + farTitle,
			at: azureStorage.at(far), bytes: large,
			rows: []transferRow{
				{name: ours, open: sent(flowing, sendOursAzure)},
				{name: uploadStream, open: sent(flowing, sendUploadStream(nil))},
				{name: uploadStreamBest, open: sent(flowing, sendUploadStream(&best))},
				{name: uploadStreamChecked, open: sent(flowing, sendUploadStream(&checked))},
				{name: goCloudAzure, open: sent(flowing, sendGoCloudAzure)},
			},
			// What arrives is checked, as by the last of these; the others are not.
			goals: []goal{
				faster(ours, uploadStream, 1.4), memoryAtMost(ours, 74*mebibyte),
				faster(ours, uploadStreamChecked, 1), lessMemory(ours, uploadStreamChecked, 0.5),
			},
		},
		{
			name: "azure-download", title: fmt.Sprintf("read 256 MiB in order from an io.Reader, or into %s of memory; %s", size(large), farTitle),
			at: azureStorage.at(far), bytes: large,
			rows: []transferRow{
				{name: ours6, open: received(receiveOursAzure(storage.WithConcurrency(6)))},
				{name: ours14, open: received(receiveOursAzure(storage.WithConcurrency(14)))},
				{name: downloadStream, open: received(receiveDownloadStream)},
				{name: downloadBuffer, open: intoBuffer(nil)},
				{name: downloadBufferMax, open: intoBuffer(&azblob.DownloadBufferOptions{Concurrency: 14})},
				{name: goCloudAzure, once: true, open: received(receiveGoCloudAzure)},
			},
			goals: []goal{
				faster(ours6, downloadStream, 4), memoryAtMost(ours6, 36*mebibyte), noRequest(ours6, nullazure.GetBlobProperties),
				faster(ours14, downloadStream, 7), memoryAtMost(ours14, 70*mebibyte), noRequest(ours14, nullazure.GetBlobProperties),
				faster(ours14, downloadBufferMax, 1),
			},
		},
	}
}
