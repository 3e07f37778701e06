package main

import (
	"bytes"
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
)

var putAzure = []struct {
	name string
	open func(ctx context.Context, server string) (doer, error)
}{
	{ours, func(ctx context.Context, server string) (doer, error) {
		b, err := ownAzure(ctx, server)
		return func(ctx context.Context, key string, data []byte) error {
			_, err := b.Upload(ctx, key, bytes.NewReader(data), storage.WithContentType(contentType))
			return err
		}, err
	}},
	{rawAzure, func(_ context.Context, server string) (doer, error) {
		client, err := azureClient(server)
		return func(ctx context.Context, key string, data []byte) error {
			_, err := client.UploadBuffer(ctx, azureContainer, key, data, &azblob.UploadBufferOptions{
				HTTPHeaders: &blob.HTTPHeaders{BlobContentType: to.Ptr(contentType)},
			})
			return err
		}, err
	}},
	{goCloudAzure, func(ctx context.Context, server string) (doer, error) {
		s, err := goCloudAzureBucket(ctx, server)
		return s.put, err
	}},
}

var getAzure = []struct {
	name string
	open func(ctx context.Context, server string) (doer, error)
}{
	{ours, func(ctx context.Context, server string) (doer, error) {
		b, err := ownAzure(ctx, server)
		return getOurs(b), err
	}},
	{rawAzure, func(_ context.Context, server string) (doer, error) {
		client, err := azureClient(server)
		return func(ctx context.Context, key string, buffer []byte) error {
			out, err := client.DownloadStream(ctx, azureContainer, key, nil)
			if err != nil {
				return err
			}
			return drain(out.Body, buffer)
		}, err
	}},
	{goCloudAzure, func(ctx context.Context, server string) (doer, error) {
		s, err := goCloudAzureBucket(ctx, server)
		return getGoCloud(s), err
	}},
}

func azureSmallCases() []benchCase {
	// The SDK alone neither checks what arrives nor keeps a checksum.
	goals := []goal{requestsAtMost(ours, 1), allocationsOver(ours, goCloudAzure, 5)}
	put := benchCase{name: "azure-put-1k", title: "put 1 KiB that is in memory, ours with checksums, over TLS", goals: goals}
	for _, s := range putAzure {
		put.rows = append(put.rows, row{name: s.name, setup: smallAt(azureStorage.at(nearTLS), s.open)})
	}
	get := benchCase{name: "azure-get-1k", title: "get 1 KiB into a buffer, its checksum looked at by ours, over TLS", goals: goals}
	for _, s := range getAzure {
		get.rows = append(get.rows, row{name: s.name, setup: smallAt(azureStorage.at(nearTLS), s.open)})
	}
	return []benchCase{put, get}
}
