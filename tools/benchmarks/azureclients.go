package main

import (
	"context"
	"encoding/base64"
	"io"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azureblobs "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/tools/benchmarks/nullazure"
)

// These are the names of the rows for Azure.
const (
	rawAzure            = "azblob"
	azureUpload         = rawAzure + " UploadStream"
	azureUploadBest     = azureUpload + ", 16 blocks of 4 MiB"
	azureUploadChecked  = azureUploadBest + " with CRC64"
	azureDownload       = rawAzure + " DownloadStream"
	azureBuffer         = rawAzure + " DownloadBuffer"
	azureBufferParallel = azureBuffer + ", 14 at once"
	goCloudAzure        = "gocloud azureblob"
)

const azureContainer = "bucket"

// azureKey is as long as the key of a real account. The null server accepts any key.
var azureKey = base64.StdEncoding.EncodeToString(make([]byte, 64))

// openAzure opens a container on the null server with this library.
func openAzure(ctx context.Context, server string, opts ...storage.OpenOption) (storage.Bucket, error) {
	return azure.Open(
		ctx, azure.Config{Bucket: azureContainer, Endpoint: server + "/" + nullazure.Account, Key: azureKey},
		opts...)
}

func azureClient(server string) (*azblob.Client, error) {
	key, err := azblob.NewSharedKeyCredential(nullazure.Account, azureKey)
	if err != nil {
		return nil, err
	}
	return azblob.NewClientWithSharedKeyCredential(server+"/"+nullazure.Account, key, nil)
}

// azureStream returns options for an upload with the SDK. With these options, the SDK uses as much
// memory as this library. The SDK has one buffer for each block that it sends at the same time.
func azureStream(check azureblobs.TransferValidationType) *azblob.UploadStreamOptions {
	return &azblob.UploadStreamOptions{BlockSize: 4 * mebibyte, Concurrency: 16, TransactionalValidation: check}
}

// azureSDK returns the SDK as a contender. options apply to its uploads.
func azureSDK(name string, options *azblob.UploadStreamOptions) contender {
	return contender{
		name: name,
		open: func(_ *env, server string) (client, error) {
			c, err := azureClient(server)
			if err != nil {
				return client{}, err
			}
			s := &azureSDKContainer{c, c.ServiceClient().NewContainerClient(azureContainer), options}
			return client{put: s.put, upload: s.upload, open: s.open, list: s.list, sign: s.sign}, nil
		},
	}
}

// An azureSDKContainer makes the operations with the SDK.
type azureSDKContainer struct {
	client    *azblob.Client
	container *container.Client
	options   *azblob.UploadStreamOptions
}

func (s *azureSDKContainer) put(ctx context.Context, key string, data []byte) error {
	_, err := s.client.UploadBuffer(ctx, azureContainer, key, data, &azblob.UploadBufferOptions{
		HTTPHeaders: &azureblobs.HTTPHeaders{BlobContentType: to.Ptr(contentType)},
	})
	return err
}

func (s *azureSDKContainer) upload(ctx context.Context, key string, body io.Reader, _ int64) error {
	_, err := s.client.UploadStream(ctx, azureContainer, key, body, s.options)
	return err
}

func (s *azureSDKContainer) open(ctx context.Context, key string) (io.ReadCloser, error) {
	response, err := s.client.DownloadStream(ctx, azureContainer, key, nil)
	return response.Body, err
}

func (s *azureSDKContainer) list(ctx context.Context, prefix string, each func()) error {
	pages := s.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
		Prefix:     &prefix,
		MaxResults: to.Ptr(int32(pageSize)),
	})
	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for range page.Segment.BlobItems {
			each()
		}
	}
	return nil
}

func (s *azureSDKContainer) sign(_ context.Context, key string) error {
	expiry := time.Now().Add(time.Hour)
	_, err := s.container.NewBlobClient(key).GetSASURL(sas.BlobPermissions{Read: true}, expiry, nil)
	return err
}

// azureBuffered returns the SDK as a contender that downloads each object into memory as a whole.
// The other contenders do not hold the whole object.
func azureBuffered(name string, options *azblob.DownloadBufferOptions) contender {
	return contender{
		name: name,
		open: func(_ *env, server string) (client, error) {
			c, err := azureClient(server)
			if err != nil {
				return client{}, err
			}
			read := func(ctx context.Context, key string, size int64) (int64, error) {
				return c.DownloadBuffer(ctx, azureContainer, key, make([]byte, size), options)
			}
			return client{read: read}, nil
		},
	}
}

func openAzureBlob(ctx context.Context, server string) (goCloud, error) {
	c, err := azureClient(server)
	if err != nil {
		return goCloud{}, err
	}
	b, err := azureblob.OpenBucket(ctx, c.ServiceClient().NewContainerClient(azureContainer), nil)
	return goCloud{b, &blob.WriterOptions{ContentType: contentType}}, err
}
