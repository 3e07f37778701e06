package main

import (
	"context"
	"encoding/base64"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/benchmarks/nullazure"
	"github.com/omnibucket/storage/providers/azure"
)

// What the contenders for Azure are called.
const (
	rawAzure     = "azblob"
	goCloudAzure = "gocloud azureblob"
)

const azureContainer = "bucket"

// azureKey is an account's, as long as a real one: no server here looks at what
// is signed with it.
var azureKey = base64.StdEncoding.EncodeToString(make([]byte, 64))

// ownAzure is a container of this library.
func ownAzure(ctx context.Context, server string, opts ...storage.OpenOption) (storage.Bucket, error) {
	return azure.Open(ctx, azure.Config{Bucket: azureContainer, Endpoint: server + "/" + nullazure.Account, Key: azureKey}, opts...)
}

// azureClient is the SDK's as it is by default.
func azureClient(server string) (*azblob.Client, error) {
	key, err := azblob.NewSharedKeyCredential(nullazure.Account, azureKey)
	if err != nil {
		return nil, err
	}
	return azblob.NewClientWithSharedKeyCredential(server+"/"+nullazure.Account, key, nil)
}

func azureContainerClient(server string) (*container.Client, error) {
	client, err := azureClient(server)
	if err != nil {
		return nil, err
	}
	return client.ServiceClient().NewContainerClient(azureContainer), nil
}

func goCloudAzureBucket(ctx context.Context, server string) (goCloud, error) {
	client, err := azureContainerClient(server)
	if err != nil {
		return goCloud{}, err
	}
	b, err := azureblob.OpenBucket(ctx, client, nil)
	return goCloud{b, &blob.WriterOptions{ContentType: contentType}}, err
}
