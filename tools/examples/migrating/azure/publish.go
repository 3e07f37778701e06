// Package azure is a program that uses Azure's client. Package after shows the same program with
// this library.
package azure

import (
	"context"
	"errors"
	"io"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

// ErrPublished is the error if a report with the same name was published before.
var ErrPublished = errors.New("the report is published already")

// Publish stores a report, and returns the keys of all reports. If the report exists already, it
// fails with [ErrPublished].
func Publish(ctx context.Context, c *azblob.Client, container, name string, report io.Reader) ([]string, error) {
	_, err := c.UploadStream(ctx, container, "reports/"+name, report, &azblob.UploadStreamOptions{
		HTTPHeaders: &blob.HTTPHeaders{BlobContentType: to.Ptr("text/csv")},
		Metadata:    map[string]*string{"author": to.Ptr("reports")},
		AccessConditions: &blob.AccessConditions{
			ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)},
		},
	})
	if bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet) {
		return nil, ErrPublished
	}
	if err != nil {
		return nil, err
	}
	var keys []string
	pages := c.NewListBlobsFlatPager(container, &azblob.ListBlobsFlatOptions{Prefix: to.Ptr("reports/")})
	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Segment.BlobItems {
			keys = append(keys, *item.Name)
		}
	}
	return keys, nil
}
