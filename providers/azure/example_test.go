package azure_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/azure"
)

// Without a key, the default credential chain of the Azure SDK is used, as after "az login". The
// address of this bucket is azblob://photos?account=acme.
func ExampleOpen() {
	ctx := context.Background()
	bucket, err := azure.Open(ctx, azure.Config{Bucket: "photos", Account: "acme"})
	if err != nil {
		return
	}
	defer storage.Close(bucket)
	attrs, err := bucket.Upload(ctx, "cat.jpg", strings.NewReader("…"), storage.IfAbsent())
	if err != nil {
		return
	}
	fmt.Println(attrs.Revision) // for storage.IfRevision
}

// The write and each read give the key, because Azure does not keep it.
func ExampleWithCustomerKey() {
	ctx := context.Background()
	key := []byte("32 bytes, from your key store...")
	bucket, err := azure.Open(ctx, azure.Config{Bucket: "photos", Account: "acme"})
	if err != nil {
		return
	}
	_, err = bucket.Upload(ctx, "cat.jpg", strings.NewReader("…"), azure.WithCustomerKey(key))
	if err != nil {
		return
	}
	data, _, err := storage.ReadAll(ctx, bucket, "cat.jpg", azure.WithCustomerKey(key))
	fmt.Println(len(data), err)
}

// To overwrite an object that has a lease, an upload gives the lease's ID, whether it is sent in one request or in
// blocks.
func ExampleWithOptions() {
	ctx := context.Background()
	bucket, err := azure.Open(ctx, azure.Config{Bucket: "photos", Account: "acme"})
	if err != nil {
		return
	}
	lease := &blob.AccessConditions{LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: to.Ptr("…")}}
	_, err = bucket.Upload(ctx, "cat.jpg", strings.NewReader("…"), azure.WithOptions(azure.Options{
		Upload: func(o *blockblob.UploadOptions) {
			o.AccessConditions = lease
		},
		CommitBlockList: func(o *blockblob.CommitBlockListOptions) {
			o.AccessConditions = lease
		},
	}))
	fmt.Println(err)
}
